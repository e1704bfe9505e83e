import { describe, expect, it } from 'vitest';
import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import { memoryContext, type MemoryContext } from '../../../test/contract/memory-context.ts';
import { kubespray } from './index.ts';

const kubelet = 'https://dl.test/release/v1.36.4/bin/linux/amd64/kubelet';
const hex = (digit: string): string => digit.repeat(64);
const checksumsYml = `kubelet_checksums:\n  amd64:\n    1.36.4: sha256:${hex('a')}\n`;

async function list(
  files: Record<string, string>,
  options: Record<string, string[]> = {},
): Promise<SourceContents & { context: MemoryContext }> {
  const context = memoryContext(files);
  const selection = { source: 'kubespray', files: Object.keys(files), kubeVersions: [], providers: [], options };
  return { ...(await kubespray.list(selection, context)), context };
}

describe('files', () => {
  it('get the checksum of their tool, version and architecture, whatever the order of the inputs', async () => {
    const expected = [
      {
        kind: 'file',
        name: 'kubelet',
        reference: kubelet,
        checksums: { sha256: hex('a') },
        platforms: ['linux/amd64'],
        foundAt: 'files.list:1',
      },
    ];
    for (const files of [
      { '/in/files.list': `${kubelet}\n`, '/in/checksums.yml': checksumsYml },
      { '/in/checksums.yml': checksumsYml, '/in/files.list': `${kubelet}\n` },
    ]) {
      const { items, context } = await list(files);
      expect(items).toEqual(expected);
      expect(context.warnings).toEqual([]);
    }
  });

  it.each([
    ['another version', kubelet.replace('1.36.4', '1.36.5'), 'no kubelet_checksums of version 1.36.5 for amd64'],
    ['another architecture', kubelet.replace('amd64', 's390x'), 'no kubelet_checksums of version 1.36.4 for s390x'],
    ['another file beside it', `${kubelet}.sig`, 'no tool that is downloaded from such a URL'],
    ['another tool', 'https://dl.test/tool-1.36.4-amd64', 'no tool that is downloaded from such a URL'],
  ])('of %s are carried with a warning', async (_, url, reason) => {
    const { items, context } = await list({ '/in/files.list': `${url}\n`, '/in/checksums.yml': checksumsYml });
    expect(items).toMatchObject([{ reference: url }]);
    expect(items[0]).not.toHaveProperty('checksums');
    expect(context.warnings).toEqual([expect.stringContaining(`files.list:1: ${url}`)]);
    expect(context.warnings[0]).toContain(reason);
  });

  it('are found on a mirror of their host too, but not under a URL that contradicts itself', async () => {
    const mirrored = 'http://files.test:8080/github.com/containerd/containerd/releases/download/v2.3.4/';
    const { items } = await list({
      '/in/files.list': [
        `${mirrored}containerd-2.3.4-linux-amd64.tar.gz`,
        `${mirrored}containerd-static-2.3.4-linux-amd64.tar.gz`,
        `${mirrored}containerd-2.3.3-linux-amd64.tar.gz`,
      ].join('\n'),
      '/in/checksums.yml':
        `containerd_archive_checksums:\n  amd64:\n    2.3.4: sha256:${hex('b')}\n    2.3.3: sha256:${hex('d')}\n` +
        `containerd_static_archive_checksums:\n  amd64:\n    2.3.4: sha256:${hex('c')}\n`,
    });
    expect(items.map(({ name, checksums }) => [name, checksums?.sha256])).toEqual([
      ['containerd-2.3.3-linux-amd64.tar.gz', undefined],
      ['containerd-2.3.4-linux-amd64.tar.gz', hex('b')],
      ['containerd-static-2.3.4-linux-amd64.tar.gz', hex('c')],
    ]);
  });

  it('are named as carried unchecked when there is no checksums.yml', async () => {
    const { context } = await list({ '/in/files.list': kubelet });
    expect(context.warnings).toEqual([expect.stringContaining('no checksums.yml was given')]);
  });
});

describe('lists', () => {
  it('may hold images and files', async () => {
    const { items } = await list({ '/in/all.list': `h.test/a/b:1\n${kubelet}\n`, '/in/checksums.yml': checksumsYml });
    expect(items).toMatchObject([
      { kind: 'file', name: 'kubelet', foundAt: 'all.list:2' },
      { kind: 'image', name: 'b', reference: 'h.test/a/b:1', foundAt: 'all.list:1' },
    ]);
  });

  it('of images alone belong to whoever asks for them', () => {
    expect(kubespray.recognises('h.test/a/b:1\nh.test/c:2\n')).toBe(false);
    expect(kubespray.recognises(`${kubelet}\nh.test/c:2\n${kubelet}.sig\n`)).toBe(true);
    expect(kubespray.recognises('a==1.0\n# why\nb<6\n')).toBe(true);
    expect(kubespray.recognises('pkgs:\n  curl: []\n')).toBe(true);
  });

  it('travel in the bundle as they were, told apart when two have one name', async () => {
    const { documents } = await list({
      '/a/files.list': `${kubelet}\n`,
      '/b/files.list': `${kubelet}.sig\n`,
      '/c': 'a:1',
    });
    expect(documents.map(({ destination, title }) => [destination.replace(/-[0-9a-f]{12}$/, '-HASH'), title])).toEqual([
      ['sealift/kubespray/inputs:c', 'c'],
      ['sealift/kubespray/inputs:files.list-HASH', 'files.list'],
      ['sealift/kubespray/inputs:files.list-HASH', 'files.list'],
    ]);
    expect(documents.map(({ content }) => Buffer.from(content).toString())).toContain(`${kubelet}.sig\n`);
  });
});

describe('Helm charts', () => {
  it('are told by their host, or named', async () => {
    const { items } = await list(
      { '/in/files.list': 'https://helm.c.test/c-1.tgz\nhttps://get.helm.test/helm-v3.tgz\n' },
      { 'helm-charts': ['https://x.test/a-1.tgz, https://x.test/b-1.tgz', 'https://x.test/a-1.tgz'] },
    );
    expect(items.map(({ name, package: format }) => [name, format])).toEqual([
      ['helm-v3.tgz', undefined],
      ['c-1.tgz', 'helm'],
      ['a-1.tgz', 'helm'],
      ['b-1.tgz', 'helm'],
    ]);
  });

  it('need a whole URL', async () => {
    await expect(list({ '/in/files.list': kubelet }, { 'helm-charts': ['charts/a.tgz'] })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: '--source-option helm-charts' },
    });
  });
});
