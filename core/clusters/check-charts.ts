import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ClusterOperation } from '../../contracts/provider-plugin.ts';
import { isErrorType } from '../errors.ts';
import type { ClusterMaking } from './apply.ts';
import { bringsNetwork } from './cni.ts';
import { providerCharts } from './provider-charts.ts';
import { problem } from './spec/findings.ts';

const HELM_TIMEOUT_MS = 30_000;

export interface ChartQuestion extends Omit<ClusterMaking, 'previous'> {
  operation: ClusterOperation;
  /** what the cluster was made from, when it is upgraded */
  previous?: ClusterSpec | undefined;
  /** a bootstrap cluster of processes runs Cluster API's controllers, and nothing else */
  bootstrapHasNodes: boolean;
}

/** What would keep the charts of an operation from being installed: no helm, or nothing that runs them. Changes nothing. */
export async function chartFindings(question: ChartQuestion): Promise<Finding[]> {
  return [...nodeFindings(question), ...(await helmFindings(question))];
}

function nodeFindings(question: ChartQuestion): Finding[] {
  const { spec, provider, operation, bootstrapHasNodes } = question;
  if (bootstrapHasNodes || spec.role !== 'management' || !provider.needsBootstrap(operation, spec)) return [];
  const names = providerCharts(question, 'bootstrap').map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    problem('bootstrap.no-nodes', `Cluster ${spec.name}`, {
      message: `its bootstrap cluster has to run ${names.join(' and ')} of the release, and one of processes has no nodes for it`,
      remedy: "give a cluster whose nodes are on the machines' network with --bootstrap-kubeconfig",
    }),
  ];
}

async function helmFindings(question: ChartQuestion): Promise<Finding[]> {
  const { spec, provider, release, context, operation, previous } = question;
  const installation = { spec, provider, release, context, ...(previous === undefined ? {} : { previous }) };
  const brings = operation !== 'delete' && bringsNetwork(installation);
  if (!brings && providerCharts(question, 'self').length === 0) return [];
  try {
    await context.run('helm', ['version', '--short'], { timeoutMs: HELM_TIMEOUT_MS });
    return [];
  } catch (error) {
    if (!isErrorType(error, 'ToolMissing')) throw error;
    const { message, remedy } = error.problem;
    return [problem('worker.no-helm', 'helm', { message: `charts of the bundle need it: ${message}`, remedy })];
  }
}
