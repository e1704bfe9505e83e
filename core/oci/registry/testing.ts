import type { Descriptor } from '../../../contracts/descriptor.ts';
import { MediaType } from '../../../contracts/media-types.ts';
import { digestOf } from '../digest.ts';
import { createRegistryClient, type RegistryClient, type RegistryClientOptions } from './client.ts';
import type { Credentials, CredentialStore } from './credentials.ts';

/** A client for a plain HTTP registry on loopback; `credentials` are looked up anew each time, as the real ones. */
export function clientFor(
  host: string,
  options: Partial<RegistryClientOptions> & { lookup?: () => Credentials | undefined } = {},
): RegistryClient {
  const { lookup, ...rest } = options;
  const credentials: CredentialStore = {
    lookup: () => Promise.resolve(lookup?.()),
    places: () => ['/home/test/.docker/config.json'],
  };
  const settings = { plainHttp: true, insecureSkipTlsVerify: false };
  return createRegistryClient({ host, settings, credentials, side: 'destination', ...rest });
}

/** Uploads a small blob in one request, as a mover would. */
export async function pushBlob(client: RegistryClient, repository: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const begun = await client.mountOrBegin(repository, digest);
  if (!begun.mounted) {
    const { url, headers } = await client.target(repository, 'push', begun.location);
    const answer = await fetch(url, {
      method: 'PATCH',
      body: new Uint8Array(bytes),
      headers: { ...headers, 'content-type': 'application/octet-stream' },
    });
    await answer.arrayBuffer();
    const location = new URL(answer.headers.get('location') ?? url, url).href;
    await client.finishUpload(location, repository, digest);
  }
  return { mediaType: 'application/octet-stream', digest, size: bytes.length };
}

/** Pushes a manifest over an empty config and one layer. */
export async function pushManifest(
  client: RegistryClient,
  repository: string,
  content: string,
  options: { tag?: string; subject?: Descriptor } = {},
): Promise<{ descriptor: Descriptor; bytes: Uint8Array; subjectAccepted: boolean }> {
  const config = { ...(await pushBlob(client, repository, Buffer.from('{}'))), mediaType: MediaType.ociEmpty };
  const layer = await pushBlob(client, repository, Buffer.from(content));
  const { subject } = options;
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType: 'application/vnd.sealift.test',
    config,
    layers: [layer],
    ...(subject === undefined ? {} : { subject }),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = digestOf(bytes);
  const pushed = await client.putManifest(repository, options.tag ?? digest, MediaType.ociManifest, bytes);
  return { descriptor: { mediaType: MediaType.ociManifest, digest, size: bytes.length }, bytes, ...pushed };
}
