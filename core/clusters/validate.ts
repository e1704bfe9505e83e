import { readFile } from 'node:fs/promises';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ClusterOperation, ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { ItemsFailed } from '../transfer/failures.ts';
import { CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';
import { isProblem } from './spec/findings.ts';
import { readClusterSpec } from './spec/read-spec.ts';

export interface ValidationRequest {
  operation: ClusterOperation;
  specFile: string;
  providers: readonly ProviderPlugin[];
  skip: readonly string[];
  context: ProviderContext;
  /** the management cluster of a workload cluster */
  management?: Cluster;
}

/**
 * Looks for everything that would make an operation fail, in one go: the specification, the infrastructure, the management
 * cluster. Changes nothing.
 *
 * @returns the specification, and warnings
 * @throws ItemsFailed with a ValidationFailed for each problem; SealiftError when something can't be asked
 */
export async function validateCluster(request: ValidationRequest): Promise<{ spec: ClusterSpec; warnings: Finding[] }> {
  const { spec, findings } = await readSpecFile(request);
  const all = [...findings];
  if (spec !== undefined) {
    const { operation, skip, context, providers } = request;
    const provider = providers.find(({ name }) => name === spec.provider)!;
    all.push(...(await provider.preflight({ spec, operation, skip }, context)));
    if (request.management !== undefined) all.push(...(await managementFindings(spec, operation, request.management)));
  }
  const problems = all.filter(isProblem);
  if (spec === undefined || problems.length > 0) {
    throw new ItemsFailed(problems.map((finding) => ({ item: itemOf(finding), error: validationError(finding) })));
  }
  return { spec, warnings: all.filter(({ status }) => status === 'warning') };
}

async function readSpecFile({
  specFile,
  providers,
}: ValidationRequest): Promise<{ spec?: ClusterSpec; findings: Finding[] }> {
  try {
    return readClusterSpec(specFile, await readFile(specFile), providers);
  } catch (cause) {
    throw new SealiftError('FileMissing', {
      side: 'local',
      operation: 'read specification',
      subject: specFile,
      message: cause instanceof Error ? cause.message : String(cause),
      remedy: 'put the file back where it was when the operation was started, then retry',
      cause,
    });
  }
}

async function managementFindings(
  spec: ClusterSpec,
  operation: ClusterOperation,
  management: Cluster,
): Promise<Finding[]> {
  const providers = await management.list({ apiVersion: 'clusterctl.cluster.x-k8s.io/v1alpha3', kind: 'Provider' });
  if (providers.length === 0) {
    return [
      problem('management.no-cluster-api', management.server, {
        message: 'Cluster API is not installed there: it is no management cluster',
        remedy: 'give the kubeconfig of a management cluster with --kubeconfig',
      }),
    ];
  }
  const metadata = { name: spec.name, namespace: CLUSTER_NAMESPACE };
  const there = await management.get({ apiVersion: capiVersions.cluster, kind: 'Cluster', metadata });
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

function problem(id: string, subject: string, said: Pick<Finding, 'message' | 'remedy'>): Finding {
  return { id, status: 'problem', subject, ...said };
}

function itemOf({ subject, position }: Finding): string {
  return position === undefined ? subject : `${position.file}:${position.line}`;
}

function validationError(finding: Finding): SealiftError {
  return new SealiftError('ValidationFailed', {
    side: finding.position === undefined ? 'cluster' : 'local',
    operation: 'validate',
    subject: finding.position === undefined ? finding.subject : itemOf(finding),
    message: finding.position === undefined ? finding.message : `${finding.subject}: ${finding.message}`,
    remedy: finding.remedy,
  });
}
