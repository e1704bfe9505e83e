import { isDeepStrictEqual } from 'node:util';
import type { ClusterRole, ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ErrorType } from '../../contracts/errors.ts';
import type { ClusterOperation, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { providerVersions } from '../cluster-api/clusterctl.ts';
import { SealiftError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { readLocal } from '../sources/read-local.ts';
import { ItemsFailed } from '../transfer/failures.ts';
import { layoutFindings } from './layout.ts';
import { CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';
import { checkRelease, type ReleaseQuestion } from './check-release.ts';
import type { ClusterRelease } from './release.ts';
import { meansFindings } from './check-means.ts';
import { isProblem, problem } from './spec/findings.ts';
import { readClusterSpec } from './spec/read-spec.ts';

export interface ValidationRequest extends ReleaseQuestion {
  operation: ClusterOperation;
  /** `--kubeconfig` may have said what the specification leaves open */
  role: ClusterRole;
  specFile: string;
  providers: readonly ProviderPlugin[];
  /** the management cluster of a workload cluster; of a management cluster itself, once there is one of that name */
  management?: Cluster;
  /** what an earlier operation on this machine went by: it may have been broken off, and is gone on with */
  known?: ClusterSpec;
}

export interface ValidatedSpec {
  spec: ClusterSpec;
  release: ClusterRelease;
  warnings: Finding[];
}

/**
 * Looks for everything that would make an operation fail, in one go: the specification, the infrastructure, the management
 * cluster, the bundle, the registry mirror. Changes nothing.
 *
 * @returns the specification, what it is made of, and warnings
 * @throws ItemsFailed with a ValidationFailed for each problem; SealiftError when something can't be asked
 */
export async function validateCluster(request: ValidationRequest): Promise<ValidatedSpec> {
  const { specFile, providers } = request;
  const { spec: read, findings } = readClusterSpec(specFile, await readLocal(specFile, 'local'), providers);
  const spec = read === undefined ? undefined : { ...read, role: request.role };
  const all = [...findings];
  let release: ClusterRelease | undefined;
  if (spec !== undefined) {
    const { operation, skip, context, providers, management } = request;
    const provider = providers.find(({ name }) => name === spec.provider)!;
    const asked = { spec, operation, skip, ...(management === undefined ? {} : { management }) };
    all.push(...(await provider.preflight(asked, context)));
    all.push(...(await managementFindings(spec, request)));
    release = await checkRelease(spec, provider, request, all);
    if (release !== undefined) {
      const usesClusterctl = spec.role === 'management';
      all.push(...(await meansFindings({ ...request, spec, provider, release, usesClusterctl })));
    }
    if (management !== undefined) all.push(...(await layoutFindings(management, { operation, role: spec.role })));
  }
  refuseProblems(all);
  // a specification that can't be understood comes with problems, and so does a release that is not there
  return { spec: spec!, release: release!, warnings: all.filter(({ status }) => status === 'warning') };
}

/** @throws ItemsFailed with an error for each problem */
export function refuseProblems(
  findings: readonly Finding[],
  { type, operation }: { type: ErrorType; operation: string } = { type: 'ValidationFailed', operation: 'validate' },
): void {
  const problems = findings.filter(isProblem);
  if (problems.length === 0) return;
  throw new ItemsFailed(
    problems.map((finding) => {
      const { position, subject, message, remedy, side = 'cluster' } = finding;
      const said =
        position === undefined
          ? ({ side, message } as const)
          : ({ side: 'local', message: `${subject}: ${message}` } as const);
      return {
        item: itemOf(finding),
        error: new SealiftError(type, { ...said, operation, subject: itemOf(finding), remedy }),
      };
    }),
  );
}

/** What keeps a management cluster from doing an operation. @throws SealiftError those of a Cluster */
export async function managementFindings(
  spec: ClusterSpec,
  { operation, management, known }: Pick<ValidationRequest, 'operation' | 'management' | 'known'>,
): Promise<Finding[]> {
  if (management === undefined) return [];
  if ((await providerVersions(management)).size === 0) {
    // a management cluster that is being made has none yet
    if (spec.role === 'management' && operation === 'create') return [];
    return [
      problem('management.no-cluster-api', management.server, {
        message: 'Cluster API is not installed there: it is no management cluster',
        remedy: 'give the kubeconfig of a management cluster with --kubeconfig',
      }),
    ];
  }
  const metadata = { name: spec.name, namespace: CLUSTER_NAMESPACE };
  const there = await management.get({ apiVersion: capiVersions.cluster, kind: 'Cluster', metadata });
  if (operation === 'create' && there !== undefined && !isDeepStrictEqual(spec, known)) {
    return [
      problem('management.name-in-use', `Cluster ${spec.name}`, {
        message: `there is a cluster of that name at ${management.server}`,
        remedy: 'choose another name, change the one there with `sealift upgrade cluster`, or delete it first',
      }),
    ];
  }
  if (operation !== 'create' && there === undefined) {
    return [
      problem('management.no-such-cluster', `Cluster ${spec.name}`, {
        message: `the management cluster at ${management.server} knows no such cluster`,
        remedy: 'look at `sealift get clusters --kubeconfig ...` for the right name and management cluster',
      }),
    ];
  }
  return [];
}

function itemOf({ subject, position }: Finding): string {
  return position === undefined ? subject : `${position.file}:${position.line}`;
}
