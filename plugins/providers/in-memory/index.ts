import type { KubernetesObject, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { ProviderPlugin } from '../../../contracts/provider-plugin.ts';
import {
  renderCluster,
  named,
  type Infrastructure,
  type NodeUser,
} from '../../../core/clusters/render/cluster-objects.ts';
import { checkShape } from '../../../core/clusters/spec/shape.ts';
import { upgradeSteps } from '../../../core/clusters/upgrade-plan.ts';
import { datacenterShape, inMemoryKinds, machineShape } from './schema.ts';
import { specTemplate } from './spec-template.ts';

const INFRASTRUCTURE = 'infrastructure.cluster.x-k8s.io/v1beta2';
const STARTUP = '1s';

/** Clusters without machines, for tests and demonstrations: see README.md. */
export const inMemory: ProviderPlugin = {
  name: 'in-memory',
  summary: 'no machines at all: for tests and demonstrations',
  kinds: inMemoryKinds,
  needsBootstrap: (operation, { datacenter }) => operation !== 'upgrade' || isUpgradedFromOutside(datacenter),
  specTemplate,
  checkDocument: (kind, document) =>
    checkShape(document, kind === inMemoryKinds.datacenter ? datacenterShape : machineShape),
  validateSpec: () => [],
  preflight: () => Promise.resolve([]),
  prepareAssets: () => Promise.resolve(),
  capi: (_spec, { env }) => ({
    name: 'docker',
    namespace: 'capd-system',
    env: {},
    programs: {
      'capd-manager': {
        binary: 'in-memory-infrastructure',
        env: { IN_MEMORY_CLOUD: env['IN_MEMORY_CLOUD'] ?? '' },
      },
    },
  }),
  bootstrapPrereqs: () => Promise.resolve([]),
  postCapiInit: () => Promise.resolve(),
  render: (request) => renderCluster(request, infrastructure(request.spec)).map(withAnnotations),
  upgradePlan: upgradeSteps,
  preMove: () => Promise.resolve(),
  postMove: () => Promise.resolve(),
  postWorkload: () => Promise.resolve(),
  preDelete: () => Promise.resolve(),
  postDelete: () => Promise.resolve([]),
  credentials: () => Promise.resolve([]),
};

function infrastructure(spec: Parameters<ProviderPlugin['render']>[0]['spec']): Infrastructure {
  return {
    cluster: { ...named(INFRASTRUCTURE, 'DevCluster', spec.name, spec), spec: { backend: { inMemory: {} } } },
    machineTemplate: { apiVersion: INFRASTRUCTURE, kind: 'DevMachineTemplate' },
    machineSpec: (machine) => ({ backend: { inMemory: startup(machine) } }),
    users: (machine) => (machine?.spec['users'] as NodeUser[] | undefined) ?? [],
    kubeletArguments: {},
    localAddresses: [],
    controlPlane: { files: [], preKubeadmCommands: [], certSans: [] },
  };
}

/**
 * What the imitation can't do (Cluster API 1.14.0): DevCluster's controller writes into the map of annotations, and panics where
 * there is none; the API servers of imitated machines refuse the second of two changes to CoreDNS's ConfigMap, for ever.
 */
const annotations: Record<string, Record<string, string>> = {
  DevCluster: { 'sealift.dev/provider': 'in-memory' },
  KubeadmControlPlane: { 'controlplane.cluster.x-k8s.io/skip-coredns': 'true' },
};

function withAnnotations(object: KubernetesObject): KubernetesObject {
  const added = annotations[object.kind];
  if (added === undefined) return object;
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...added } } };
}

// the document may come without a spec
function isUpgradedFromOutside(datacenter: Partial<SpecObject>): boolean {
  return datacenter.spec?.['upgradeThroughBootstrap'] === true;
}

function startup(machine: SpecObject | undefined): object {
  const provisioning = { startupDuration: machine?.spec['startupDuration'] ?? STARTUP };
  return Object.fromEntries(['vm', 'node', 'apiServer', 'etcd'].map((part) => [part, { provisioning }]));
}
