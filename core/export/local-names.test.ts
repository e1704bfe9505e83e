import { expect, it } from 'vitest';
import { digestOf } from '../oci/digest.ts';
import { bundleReferences } from './local-names.ts';

const item = (reference: string, content: string) => ({ reference, digest: digestOf(Buffer.from(content)) });

it('keeps what is known everywhere, and of local files their names', () => {
  const names = bundleReferences([
    item('docker.io/library/a:1', 'a'),
    item('https://files.test/x/k8s.snap', 'b'),
    item('file:///home/me/k8s.snap', 'c'),
    item('file:///home/me/copy/k8s.snap', 'c'),
  ]);
  expect([...names.values()]).toEqual([
    'docker.io/library/a:1',
    'https://files.test/x/k8s.snap',
    'file:///k8s.snap',
    'file:///k8s.snap',
  ]);
});

it('tells files of one name apart by what is in them', () => {
  const names = bundleReferences([item('file:///a/k8s.snap', 'c'), item('file:///b/k8s.snap', 'd')]);
  expect(names.get('file:///a/k8s.snap')).toMatch(/^file:\/\/\/[0-9a-f]{12}\/k8s\.snap$/);
  expect(new Set(names.values()).size).toBe(2);
});
