import type { ClusterSpec, RegistryMirrorConfiguration } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ProviderContext } from '../../contracts/provider-plugin.ts';
import { parseReference } from '../oci/reference.ts';
import { createRegistryClient, type RegistryClient } from '../oci/registry/client.ts';
import type { CredentialStore } from '../oci/registry/credentials.ts';
import { SealiftError } from '../errors.ts';
import { Limiter } from '../transfer/concurrency.ts';
import type { ReleaseImage } from './release-images.ts';
import { mirroredReference } from './render/mirror.ts';
import { mirrorHost } from './spec/defaults.ts';
import { problem } from './spec/findings.ts';

/** Questions to the mirror at a time. */
const WIDTH = 8;

/**
 * Asks the registry mirror of a specification for every image of the wanted version, as its nodes will: by tag, with the
 * certificate authority and the credentials that the specification gives them. What is missing, and what is another image
 * than the release's, are findings, all of them; so is a mirror that does not let anybody in.
 */
export async function mirrorFindings(
  spec: ClusterSpec,
  images: readonly ReleaseImage[],
  context: Pick<ProviderContext, 'env' | 'alive'>,
): Promise<Finding[]> {
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  if (mirror === undefined) return [];
  const client = clientOf(mirror, context.env);
  try {
    const refused = await findingOf(mirrorHost(mirror), () => client.ping());
    if (refused !== undefined) return [refused];
    const limiter = new Limiter(WIDTH);
    let asked = 0;
    const found = await Promise.all(
      images.map((image) =>
        limiter.run(async () => {
          context.alive(`registry mirror: ${asked} of ${images.length} images`);
          const finding = await imageFinding(image, mirror, client);
          asked += 1;
          return finding;
        }),
      ),
    );
    return found.filter((finding) => finding !== undefined);
  } finally {
    await client.close();
  }
}

async function imageFinding(
  { reference, digests }: ReleaseImage,
  mirror: RegistryMirrorConfiguration,
  client: RegistryClient,
): Promise<Finding | undefined> {
  const at = mirroredReference(reference, mirror);
  const { host, repository, tag, digest } = parseReference(at);
  const remedy = `import a bundle with it (\`sealift import artifacts --registry ${host}\`, with --map as in ociNamespaces)`;
  let there: string | undefined;
  const refused = await findingOf(at, async () => {
    there = (await client.headManifest(repository, digest ?? tag!))?.digest;
  });
  if (refused !== undefined) return refused;
  if (there === undefined) {
    return problem('registry.image-missing', at, { message: `the registry mirror lacks ${reference}`, remedy });
  }
  if (digests.length === 0 || digests.some((digest) => digest === there)) return undefined;
  return problem('registry.image-differs', at, {
    message: `the registry mirror has ${there} there, the release ${digests.join(' or ')}`,
    remedy: `${remedy}, or find out what else writes this tag`,
  });
}

/** @returns what a question was refused for */
async function findingOf(subject: string, ask: () => Promise<void>): Promise<Finding | undefined> {
  try {
    await ask();
    return undefined;
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    const { message, remedy } = error.problem;
    return problem('registry.refused', subject, { message, remedy: remedyFor(error, remedy) });
  }
}

function remedyFor({ type }: SealiftError, remedy: string): string {
  if (type !== 'RegistryUnauthorized') return remedy;
  return 'say `authenticate: true` in registryMirrorConfiguration, and set REGISTRY_USERNAME and REGISTRY_PASSWORD where the worker runs';
}

/** Nothing that this machine knows beyond that: nodes don't know it either. */
function clientOf(mirror: RegistryMirrorConfiguration, env: ProviderContext['env']): RegistryClient {
  const { insecureSkipVerify = false, caCertContent: ca } = mirror;
  return createRegistryClient({
    host: mirrorHost(mirror),
    settings: { plainHttp: false, insecureSkipTlsVerify: insecureSkipVerify, ...(ca === undefined ? {} : { ca }) },
    credentials: mirrorCredentials(mirror, env),
    side: 'destination',
  });
}

function mirrorCredentials(
  { authenticate }: RegistryMirrorConfiguration,
  { REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password }: ProviderContext['env'],
): CredentialStore {
  const given = authenticate === true && username !== undefined && password !== undefined;
  return {
    lookup: () => Promise.resolve(given ? { username, password } : undefined),
    places: () => ['REGISTRY_USERNAME and REGISTRY_PASSWORD'],
  };
}
