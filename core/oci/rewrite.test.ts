import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, hexOf } from './digest.ts';
import { parseReference } from './reference.ts';
import { destinationOf, fileDestination, namespaceOf, placeDestination, splitDestination } from './rewrite.ts';

const digest = digestOf(Buffer.from('x'));
const production = '783794618700.dkr.ecr.us-west-2.amazonaws.com';
const development = '067575901363.dkr.ecr.us-west-2.amazonaws.com';
const none = { namespace: '', map: {} };
const mirror = { namespace: 'mirror/eks', map: { 'quay.io': 'from-quay', [development]: 'dev' } };

describe('images', () => {
  it.each([
    ['public.ecr.aws/eks-distro/etcd:v3', none, 'eks-distro/etcd:v3'],
    ['public.ecr.aws/eks-distro/etcd:v3', mirror, 'mirror/eks/eks-distro/etcd:v3'],
    ['nginx', none, 'library/nginx:latest'],
    ['quay.io/a/b:1', mirror, 'from-quay/a/b:1'],
    [`public.ecr.aws/a@${digest}`, none, `a:${hexOf(digest)}`],
    [`public.ecr.aws/a:t@${digest}`, none, 'a:t'],
    [`${production}/hello:1`, none, 'eks-anywhere/hello:1'],
    [`${production}/hello:1`, mirror, 'mirror/eks/eks-anywhere/hello:1'],
    [`${development}/hello:1`, none, 'x3k6m8v0/hello:1'],
    [`${development}/hello:1`, mirror, 'dev/hello:1'],
  ])('%s lands at its place', (text, rules, destination) => {
    const reference = parseReference(text);
    expect(destinationOf(reference, rules)).toBe(destination);
    expect(placeDestination(destinationOf(reference, none), reference.host, rules)).toBe(destination);
    expect(destination.startsWith(namespaceOf(reference.host, rules))).toBe(true);
  });

  it('takes origins literally', () => {
    expect(namespaceOf('constructor', none)).toBe('');
    expect(placeDestination('sealift/bom:1', '', mirror)).toBe('mirror/eks/sealift/bom:1');
  });

  it('takes destinations apart', () => {
    expect(splitDestination('a/b:c')).toEqual({ repository: 'a/b', tag: 'c' });
    for (const bad of ['a', ':t', 'A:t', 'a:', 'a/:t', 'host:5000/a']) {
      expect(() => splitDestination(bad)).toThrow(expect.objectContaining({ type: 'InvalidInput' }) as Error);
    }
  });
});

describe('files', () => {
  it('keeps what the grammars allow', () => {
    expect(fileDestination('https://bucket.example/releases/v1/eks-a.yaml')).toBe(
      'sealift/files/bucket.example/releases/v1:eks-a.yaml',
    );
  });

  it('tells apart what it has to alter', () => {
    const urls = [
      'https://b.example/a/F.yaml',
      'https://b.example/A/F.yaml',
      'http://b.example/a/F.yaml',
      'https://b.example:8443/a/F.yaml',
      'https://b.example/a/F.yaml?v=1',
      'https://b.example/a/F+1.yaml',
      'https://b.example/a/F%2B1.yaml',
      'https://b.example/a/',
      'https://b.example/a//F.yaml',
      `https://b.example/${'long/'.repeat(80)}F.yaml`,
      `https://b.example/a/${'f'.repeat(300)}`,
      'file:///a/F.yaml',
    ];
    expect(new Set(urls.map(fileDestination)).size).toBe(urls.length);
  });

  it('is always legal, and the same for the same URL', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
        const destination = fileDestination(url);
        expect(splitDestination(destination).repository.length).toBeLessThan(190);
        expect(fileDestination(url)).toBe(destination);
      }),
    );
  });

  it('refuses what is no URL', () => {
    expect(() => fileDestination('a/b.yaml')).toThrow(expect.objectContaining({ type: 'InvalidInput' }) as Error);
  });
});
