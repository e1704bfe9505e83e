import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startFileServer } from './file-server.ts';
import { requireTool, samplesFolder, temporaryFolder } from './paths.ts';
import { runOk } from './processes.ts';
import { startRegistry } from './registry.ts';
import { fillFromBundles } from './upstream.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const bundles = `
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Bundles
spec:
  versionsBundles:
  - kubeVersion: "1.30"
    cilium:
      cilium: { arch: [amd64], description: Container image for cilium image, imageDigest: ${digest}, uri: 'images.test/eks/cilium/cilium:v1' }
      again: { description: Container image for cilium image, imageDigest: ${digest}, uri: 'images.test/eks/cilium/cilium:v1' }
      helmChart: { description: Helm chart for cilium-chart, imageDigest: ${digest}, uri: 'images.test/eks/cilium/cilium:1.0.0' }
      manifest: { uri: 'https://release.test/manifests/a.yaml' }
      nothing: { uri: '<placeholder>' }
    eksD:
      kubeVersion: v1.30.14
      manifestUrl: https://distro.test/kubernetes-1-30/kubernetes-1-30-eks-58.yaml
      components: https://distro.test/crds/releases.yaml
      containerd: { sha256: x, sha512: y, uri: 'https://release.test/containerd.tar.gz' }
      kindNode: { imageDigest: ${digest}, uri: 'images.test/kind/node:v1' }
`;

interface Bundles {
  spec: {
    versionsBundles: {
      cilium: Record<string, { imageDigest: string; uri: string }>;
      eksD: { containerd: { sha256: string; uri: string } };
    }[];
  };
}

describe('fillFromBundles', () => {
  it('makes everything that the manifest names, and states the true digests', async () => {
    await using folder = await temporaryFolder('upstream');
    await using registry = await startRegistry({ kind: 'distribution' });
    const filled = await fillFromBundles(bundles, { registry: registry.url, filesFolder: folder.path });
    const [first] = (parse(filled.bundlesYaml) as Bundles).spec.versionsBundles;
    expect(filled.references).toBe(4);
    expect(first?.cilium['again']?.imageDigest).toBe(first?.cilium['cilium']?.imageDigest);
    expect(first?.cilium['nothing']?.uri).toBe('<placeholder>');
    const crane = await requireTool('crane');
    for (const [uri, expected] of [...filled.images, ...filled.charts]) {
      const reference = uri.replace('images.test', registry.host);
      expect((await runOk(crane, ['digest', reference])).trim()).toBe(expected);
    }
    const archive = await readFile(join(folder.path, 'release.test/containerd.tar.gz'));
    expect(createHash('sha256').update(archive).digest('hex')).toBe(first?.eksD.containerd.sha256);
    expect([...filled.files.keys()].filter((url) => url.includes('/releases/58/artifacts/'))).toHaveLength(6);
    expect([...filled.images.keys()].filter((uri) => uri.startsWith('images.test/eks-distro/'))).toHaveLength(4);
  });

  it('fills the real manifest', async ({ skip }) => {
    const sample = join(samplesFolder, 'eks-anywhere', 'bundles.yaml');
    skip(!existsSync(sample), 'the shared samples are not on this machine');
    await using folder = await temporaryFolder('upstream');
    await using registry = await startRegistry({ kind: 'distribution' });
    const text = await readFile(sample, 'utf8');
    const filled = await fillFromBundles(text, { registry: registry.url, filesFolder: folder.path });
    const stated = [...filled.images.keys(), ...filled.charts.keys()].filter((uri) => !uri.includes('/eks-distro/'));
    expect(stated).toHaveLength(92);
    expect([...filled.files.keys()].filter((url) => url.startsWith('https://release-bucket/'))).toHaveLength(43);
    expect(filled.bundlesYaml).not.toContain('0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
  });
});

describe('startFileServer', () => {
  it('serves ranges and counts what it sends', async () => {
    await using folder = await temporaryFolder('files');
    await using registry = await startRegistry({ kind: 'distribution' });
    await fillFromBundles(bundles, { registry: registry.url, filesFolder: folder.path });
    await using server = await startFileServer(folder.path);
    const path = '/release.test/manifests/a.yaml';
    const whole = await request(server.url + path);
    const text = await whole.body.text();
    const headers = { range: 'bytes=10-', 'if-range': String(whole.headers['etag']) };
    const rest = await request(server.url + path, { headers });
    expect([rest.statusCode, await rest.body.text()]).toEqual([206, text.slice(10)]);
    const changed = await request(server.url + path, { headers: { ...headers, 'if-range': '"other"' } });
    expect([changed.statusCode, await changed.body.text()]).toEqual([200, text]);
    expect(server.served.get(path)).toBe(3 * text.length - 10);
    const missing = await request(`${server.url}/../etc/passwd`);
    await missing.body.dump();
    expect(missing.statusCode).toBe(404);
  });
});
