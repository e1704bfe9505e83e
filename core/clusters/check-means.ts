import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ClusterOperation } from '../../contracts/provider-plugin.ts';
import type { ClusterMaking } from './apply.ts';
import { bringsNetwork } from './cni.ts';
import { providerCharts } from './provider-charts.ts';
import { problem } from './spec/findings.ts';
import { toolFindings } from './tool-findings.ts';

export interface MeansQuestion extends Omit<ClusterMaking, 'previous'> {
  operation: ClusterOperation;
  /** what the cluster was made from, when it is upgraded */
  previous?: ClusterSpec | undefined;
  /** a bootstrap cluster of processes runs Cluster API's controllers, and nothing else */
  bootstrapHasNodes: boolean;
  /** Cluster API is installed, replaced or moved */
  usesClusterctl: boolean;
  /** names of validations to leave out */
  skip: readonly string[];
}

/** What an operation would lack to work with: tools of this machine, or nodes that run what it installs. Changes nothing. */
export async function meansFindings(question: MeansQuestion): Promise<Finding[]> {
  const { release, usesClusterctl } = question;
  const tools = {
    helm: installsCharts(question),
    ...(usesClusterctl ? { clusterApi: release.core.version } : {}),
  };
  return [...nodeFindings(question), ...(await toolFindings(tools, question))];
}

function nodeFindings(question: MeansQuestion): Finding[] {
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

function installsCharts(question: MeansQuestion): boolean {
  const { spec, release, operation, previous } = question;
  const network = { spec, release, ...(previous === undefined ? {} : { previous }) };
  return (operation !== 'delete' && bringsNetwork(network)) || providerCharts(question, 'self').length > 0;
}
