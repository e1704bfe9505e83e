import { Agent, request } from 'undici';
import { MediaType } from '../../contracts/media-types.ts';
import { digestOf } from './content.ts';

const manifestTypes = [
  MediaType.ociIndex,
  MediaType.ociManifest,
  MediaType.dockerManifestList,
  MediaType.dockerManifest,
].join(', ');

export interface PulledManifest {
  /** of the bytes that came, whatever the registry's headers say */
  digest: string;
  bytes: Buffer;
  document: {
    manifests?: { digest: string; platform?: { os: string; architecture: string }; artifactType?: string }[];
    config?: { digest: string };
    layers?: { digest: string; mediaType: string; size: number; annotations?: Record<string, string> }[];
    artifactType?: string;
    subject?: { digest: string };
  };
}

/** Reads a registry with plain requests, so that tests do not prove Sealift's client with itself. */
export interface Puller extends AsyncDisposable {
  /** @throws Error with the registry's answer */
  manifest(repository: string, reference: string): Promise<PulledManifest>;
  /** @throws Error with the registry's answer, or when the bytes do not have the digest */
  blob(repository: string, digest: string): Promise<Buffer>;
  /** Fetches everything below a manifest and checks every digest. @returns the digest of the root */
  whole(repository: string, reference: string): Promise<string>;
}

/**
 * @param url `http://127.0.0.1:PORT`
 * @param headers of every request, e.g. credentials
 */
export function createPuller(url: string, headers: Record<string, string> = {}): Puller {
  const agent = new Agent();
  const checked = new Set<string>();
  const get = async (path: string): Promise<Buffer> => {
    const { statusCode, body } = await request(`${url}/v2/${path}`, {
      dispatcher: agent,
      headers: { ...headers, accept: manifestTypes },
    });
    const bytes = Buffer.from(await body.arrayBuffer());
    if (statusCode !== 200) throw new Error(`GET ${url}/v2/${path}: ${statusCode} ${bytes.toString('utf8')}`);
    return bytes;
  };
  const puller: Puller = {
    async manifest(repository, reference) {
      const bytes = await get(`${repository}/manifests/${reference}`);
      const digest = digestOf(bytes);
      if (reference.startsWith('sha256:') && reference !== digest) throw new Error(`${reference} has other bytes`);
      return { digest, bytes, document: JSON.parse(bytes.toString('utf8')) as PulledManifest['document'] };
    },
    async blob(repository, digest) {
      const bytes = await get(`${repository}/blobs/${digest}`);
      if (digestOf(bytes) !== digest) throw new Error(`${repository}@${digest} has other bytes`);
      return bytes;
    },
    async whole(repository, reference) {
      const { digest, document } = await puller.manifest(repository, reference);
      for (const child of document.manifests ?? []) await puller.whole(repository, child.digest);
      for (const { digest: blob } of [...(document.config ? [document.config] : []), ...(document.layers ?? [])]) {
        const place = `${repository}@${blob}`;
        if (!checked.has(place)) await puller.blob(repository, blob);
        checked.add(place);
      }
      return digest;
    },
    [Symbol.asyncDispose]: () => agent.close(),
  };
  return puller;
}
