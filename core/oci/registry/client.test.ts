import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRegistry, type RegistryKind, type TestRegistry } from '../../../test/helpers/registry.ts';
import { digestOf } from '../digest.ts';
import type { RegistryClient } from './client.ts';
import { clientFor, pushBlob, pushManifest } from './testing.ts';

const absent = digestOf(Buffer.from('absent'));

describe.each<RegistryKind>(['distribution', 'olareg'])('against %s', (kind) => {
  let registry: TestRegistry;
  let client: RegistryClient;

  beforeAll(async () => {
    registry = await startRegistry({ kind });
    client = clientFor(registry.host);
  });
  afterAll(async () => {
    await client.close();
    await registry.stop();
  });

  it('is reached', async () => {
    await client.ping();
    expect(client.host).toBe(registry.host);
  });

  it('pushes, finds and fetches manifests and blobs', async () => {
    const { descriptor, bytes } = await pushManifest(client, 'a/image', 'content', { tag: 'v1' });
    expect(await client.headManifest('a/image', 'v1')).toEqual(descriptor);
    expect(await client.headManifest('a/image', 'v2')).toBeUndefined();
    const fetched = await client.fetchManifest('a/image', descriptor.digest);
    expect(fetched.descriptor).toEqual(descriptor);
    expect(Buffer.from(fetched.bytes)).toEqual(bytes);
    const layer = digestOf(Buffer.from('content'));
    expect(await client.headBlob('a/image', layer)).toBe(7);
    expect(await client.headBlob('a/image', absent)).toBeUndefined();
    expect(Buffer.from(await client.fetchBlob('a/image', layer, 7)).toString()).toBe('content');
    await expect(client.fetchBlob('a/image', layer, 6)).rejects.toMatchObject({ type: 'SizeMismatch' });
    await expect(client.fetchBlob('a/image', absent, 6)).rejects.toMatchObject({ type: 'BlobMissing' });
    await expect(client.fetchManifest('a/image', 'v2')).rejects.toMatchObject({ type: 'ManifestMissing' });
  });

  it('reads below a path prefix', async () => {
    const { descriptor } = await pushManifest(client, 'prefix/deep/image', 'p', { tag: 'v1' });
    const below = clientFor(registry.host, { pathPrefix: 'prefix/deep' });
    expect(await below.headManifest('image', 'v1')).toEqual(descriptor);
    expect(below.blobUrl('image', absent)).toBe(`${registry.url}/v2/prefix/deep/image/blobs/${absent}`);
    await below.close();
  });

  it('mounts a blob from another repository, or opens a session', async () => {
    const { digest } = await pushBlob(client, 'mount/from', Buffer.from('shared'));
    expect(await client.mountOrBegin('mount/to', digest, 'mount/from')).toEqual({ mounted: true });
    expect(await client.headBlob('mount/to', digest)).toBe(6);
    expect(await client.mountOrBegin('mount/to', absent, 'mount/from')).toMatchObject({ mounted: false });
  });

  it('asks where a session stands, goes on from there, and knows when it is lost', async () => {
    const begun = await client.mountOrBegin('session/a', digestOf(Buffer.from('hello world')));
    if (begun.mounted) expect.unreachable();
    const headers = { 'content-type': 'application/octet-stream', 'content-range': '0-4' };
    await (await fetch(begun.location, { method: 'PATCH', body: 'hello', headers })).arrayBuffer();
    const status = await client.uploadStatus(begun.location);
    expect(status.offset).toBe(5);
    const rest = { ...headers, 'content-range': '5-10' };
    const answer = await fetch(status.location, { method: 'PATCH', body: ' world', headers: rest });
    const location = new URL(answer.headers.get('location')!, registry.url).href;
    await client.finishUpload(location, 'session/a', digestOf(Buffer.from('hello world')));
    expect(await client.headBlob('session/a', digestOf(Buffer.from('hello world')))).toBe(11);
    await expect(client.uploadStatus(begun.location)).rejects.toMatchObject({ type: 'UploadSessionLost' });
  });

  it('starts again when the registry has other bytes than the digest says, and abandons sessions', async () => {
    const begun = await client.mountOrBegin('session/b', absent);
    if (begun.mounted) expect.unreachable();
    expect((await client.uploadStatus(begun.location)).offset).toBe(0);
    await expect(client.finishUpload(begun.location, 'session/b', absent)).rejects.toMatchObject({
      type: 'UploadSessionLost',
    });
    const other = await client.mountOrBegin('session/b', absent);
    if (other.mounted) expect.unreachable();
    await client.abandonUpload(other.location);
    await expect(client.uploadStatus(other.location)).rejects.toMatchObject({ type: 'UploadSessionLost' });
    await client.abandonUpload(other.location);
  });

  it('says what a manifest lacks', async () => {
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: absent, size: 6 };
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }));
    await expect(client.putManifest('lacking', 'v1', mediaType, bytes)).rejects.toMatchObject({ type: 'BlobMissing' });
  });

  it('lists tags', async () => {
    for (const tag of ['v1', 'v2', 'v3']) await pushManifest(client, 'tags', 'same', { tag });
    expect((await client.listTags('tags')).sort()).toEqual(['v1', 'v2', 'v3']);
    expect(await client.listTags('no/such/repository')).toEqual([]);
  });

  it('finds referrers by the API or by fallback tag', async () => {
    const { descriptor: subject } = await pushManifest(client, 'referred', 'image', { tag: 'v1' });
    const referrer = await pushManifest(client, 'referred', 'sbom', { subject });
    if (!referrer.subjectAccepted) {
      const index = {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [referrer.descriptor],
      };
      const tag = subject.digest.replace(':', '-');
      await client.putManifest('referred', tag, index.mediaType, Buffer.from(JSON.stringify(index)));
    }
    expect(referrer.subjectAccepted).toBe(kind === 'olareg');
    expect(await client.referrers('referred', subject.digest)).toMatchObject([{ digest: referrer.descriptor.digest }]);
    expect(await client.referrers('referred', referrer.descriptor.digest)).toEqual([]);
    expect(await client.referrers('no/such/repository', absent)).toEqual([]);
  });
});

it('goes on with an upload after the registry was killed', async () => {
  await using registry = await startRegistry({ kind: 'distribution' });
  const client = clientFor(registry.host);
  const begun = await client.mountOrBegin('killed', digestOf(Buffer.from('hello')));
  if (begun.mounted) expect.unreachable();
  const headers = { 'content-type': 'application/octet-stream' };
  await (await fetch(begun.location, { method: 'PATCH', body: 'hello', headers })).arrayBuffer();
  await registry.restart({ signal: 'SIGKILL' });
  const status = await client.uploadStatus(begun.location);
  expect(status.offset).toBe(5);
  await client.finishUpload(status.location, 'killed', digestOf(Buffer.from('hello')));
  await registry.restart({ empty: true });
  await expect(client.uploadStatus(begun.location)).rejects.toMatchObject({ type: 'UploadSessionLost' });
  await client.close();
});

it('logs in with a name and password, and sees when they change', async () => {
  const right = { user: 'robot$a', password: 'pass:word' };
  await using registry = await startRegistry({ kind: 'distribution', htpasswd: right });
  let password = 'wrong';
  const client = clientFor(registry.host, { lookup: () => ({ username: right.user, password }) });
  const refused = await client.ping().catch((error: unknown) => error);
  expect(refused).toMatchObject({ type: 'RegistryUnauthorized', problem: { operation: 'reach registry' } });
  expect(String(refused)).toContain('/home/test/.docker/config.json');
  expect(String(refused)).not.toContain('wrong');
  password = right.password;
  const { descriptor } = await pushManifest(client, 'secret', 'x', { tag: 'v1' });
  expect(await client.headManifest('secret', 'v1')).toEqual(descriptor);
  const { headers } = await client.target('secret', 'pull', client.blobUrl('secret', absent));
  expect(headers['authorization']).toBe(`Basic ${btoa('robot$a:pass:word')}`);
  await expect(client.reauthorize('secret', ['pull'], undefined)).rejects.toMatchObject({
    type: 'RegistryUnauthorized',
  });
  const nobody = clientFor(registry.host);
  await expect(nobody.listTags('secret')).rejects.toMatchObject({
    problem: { type: 'RegistryUnauthorized', message: expect.stringContaining('none were found') as string },
  });
  await Promise.all([client.close(), nobody.close()]);
});
