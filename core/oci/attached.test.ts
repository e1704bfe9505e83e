import { describe, expect, it } from 'vitest';
import { startRegistry } from '../../test/helpers/registry.ts';
import { startTestServer } from '../http/testing.ts';
import { findAttached } from './attached.ts';
import { digestOf } from './digest.ts';
import { clientFor, pushManifest } from './registry/testing.ts';

describe('findAttached', () => {
  it('follows referrers of referrers by the API, and cosign’s tags', async () => {
    await using registry = await startRegistry({ kind: 'olareg' });
    const client = clientFor(registry.host);
    const { descriptor: image } = await pushManifest(client, 'a', 'image', { tag: 'v1' });
    const { descriptor: sbom } = await pushManifest(client, 'a', 'sbom', { subject: image });
    const { descriptor: signature } = await pushManifest(client, 'a', 'signature', { subject: sbom });
    const tag = `${image.digest.replace(':', '-')}.sig`;
    const { descriptor: cosign } = await pushManifest(client, 'a', 'cosign', { tag });
    const { descriptor: elsewhere } = await pushManifest(client, 'a', 'elsewhere', { tag: 'v2' });
    const found = await findAttached(client, 'a', [image.digest, elsewhere.digest]);
    expect(found.map(({ descriptor, tag: own, subject }) => ({ descriptor, tag: own, subject }))).toEqual([
      { descriptor: sbom, tag: undefined, subject: image.digest },
      { descriptor: cosign, tag, subject: image.digest },
      { descriptor: signature, tag: undefined, subject: sbom.digest },
    ]);
    expect(digestOf(found[0]!.bytes)).toBe(sbom.digest);
    await client.close();
  });

  it('reads fallback tags where the API is missing, and passes over what is gone', async () => {
    await using registry = await startRegistry({ kind: 'distribution' });
    const client = clientFor(registry.host);
    const { descriptor: image } = await pushManifest(client, 'a', 'image', { tag: 'v1' });
    const { descriptor: sbom } = await pushManifest(client, 'a', 'sbom', { subject: image });
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [sbom],
    };
    const tag = image.digest.replace(':', '-');
    await client.putManifest('a', tag, index.mediaType, Buffer.from(JSON.stringify(index)));
    expect(await findAttached(client, 'a', [image.digest])).toMatchObject([
      { descriptor: sbom, subject: image.digest },
    ]);
    const gone = await fetch(`${registry.url}/v2/a/manifests/${sbom.digest}`, { method: 'DELETE' });
    expect(gone.status).toBe(202);
    expect(await findAttached(client, 'a', [image.digest])).toEqual([]);
    await client.close();
  });

  it('costs one request for each repository once the registry is known to lack the API', async () => {
    await using server = await startTestServer(({ url }) =>
      url.includes('/tags/list') ? { status: 200, body: '{"tags":["v1"]}' } : { status: 404 },
    );
    const client = clientFor(server.host);
    const digests = ['x', 'y', 'z'].map((name) => digestOf(Buffer.from(name)));
    expect(await findAttached(client, 'a', digests)).toEqual([]);
    expect(await findAttached(client, 'b', digests)).toEqual([]);
    expect(server.seen.map(({ url }) => url)).toEqual([
      '/v2/a/tags/list?n=1000',
      `/v2/a/referrers/${digests[0]!}`,
      '/v2/b/tags/list?n=1000',
    ]);
    await client.close();
  });

  it('asks tag by tag where tags may not be listed', async () => {
    await using registry = await startTestServer(({ url }) => ({ status: url.includes('/tags/list') ? 403 : 404 }));
    const client = clientFor(registry.host);
    expect(await findAttached(client, 'a', [digestOf(Buffer.from('x'))])).toEqual([]);
    expect(registry.seen.filter(({ method }) => method === 'HEAD')).toHaveLength(3);
    await client.close();
  });
});
