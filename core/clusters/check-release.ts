import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { isErrorType } from '../errors.ts';
import { mirrorFindings } from './mirror-images.ts';
import type { ClusterRelease } from './release.ts';
import { problem } from './spec/findings.ts';

/** `--skip-validations` leaves the look into the registry mirror out by this name. */
const MIRROR_VALIDATION = 'registry-mirror-images';

/** What a validation needs to ask what a cluster is to be made of. */
export interface ReleaseQuestion {
  /** names of validations to leave out */
  skip: readonly string[];
  context: ProviderContext;
  /** see MeansQuestion */
  bootstrapHasNodes: boolean;
  /** @throws SealiftError ContentMissing */
  releaseOf(spec: ClusterSpec, provider: ProviderPlugin): Promise<ClusterRelease>;
}

/**
 * Looks whether there is what a cluster is to be made of: in the bundle, and every image in the registry mirror.
 * @param findings gets what is missing
 * @returns undefined when the bundle lacks the version
 * @throws SealiftError those of releaseOf but ContentMissing
 */
export async function checkRelease(
  spec: ClusterSpec,
  provider: ProviderPlugin,
  { releaseOf, context, skip }: ReleaseQuestion,
  findings: Finding[],
): Promise<ClusterRelease | undefined> {
  try {
    const release = await releaseOf(spec, provider);
    findings.push(...workerVersionFindings(spec, release));
    if (!skip.includes(MIRROR_VALIDATION)) findings.push(...(await mirrorFindings(spec, release.everyImage, context)));
    return release;
  } catch (error) {
    if (!isErrorType(error, 'ContentMissing')) throw error;
    const { subject, message, remedy } = error.problem;
    findings.push(problem('bundle.content-missing', subject, { message, remedy }));
    return undefined;
  }
}

/** Worker groups may be of an older minor version: the bundle says which patch release of it. */
function workerVersionFindings({ name, cluster }: ClusterSpec, { versions }: ClusterRelease): Finding[] {
  return (cluster.spec.workerNodeGroupConfigurations ?? []).flatMap(({ kubernetesVersion }, index) => {
    if (kubernetesVersion === undefined || Object.hasOwn(versions, kubernetesVersion)) return [];
    const message = `the bundle lacks Kubernetes ${kubernetesVersion}; it has ${Object.keys(versions).sort().join(', ')}`;
    const remedy = 'export a bundle that has it too, or ask for a version that is there';
    const path = ['spec', 'workerNodeGroupConfigurations', index, 'kubernetesVersion'];
    return [{ ...problem('bundle.content-missing', `Cluster ${name}`, { message, remedy }), path }];
  });
}
