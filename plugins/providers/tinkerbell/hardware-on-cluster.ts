import type { ClusterSpec, KubernetesObject } from '../../../contracts/cluster-spec.ts';
import type { ClusterAccess, ProviderContext } from '../../../contracts/provider-plugin.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE } from '../../../core/clusters/render/names.ts';
import { isErrorType, SealiftError } from '../../../core/errors.ts';
import { openCluster } from '../../../core/kubernetes/cluster-access.ts';
import { waitFor, type Decision } from '../../../core/kubernetes/wait.ts';
import type { BmcSettings } from './bmc/contact.ts';
import type { Hardware } from './hardware-csv.ts';
import { bmcMachineKind, bmcName, hardwareKind, hardwareObjects } from './hardware-objects.ts';
import { INFRASTRUCTURE } from './render.ts';

/** Set by Cluster API's provider on the Hardware that became a machine: the name of its TinkerbellMachine. */
const OWNER_LABEL = 'v1alpha1.tinkerbell.org/ownerName';
/** Tinkerbell looks at every BMC every three minutes. */
const CONTACT_TIMEOUT_MS = 20 * 60_000;

/** Hardware as a management cluster knows it. */
export interface KnownHardware extends Pick<Hardware, 'hostname' | 'labels'> {
  /** name of the TinkerbellMachine that it is */
  owner?: string;
}

/** @returns nothing where Tinkerbell is not installed */
export async function knownHardware(cluster: Pick<ClusterAccess, 'list'>): Promise<KnownHardware[]> {
  const objects = await listed(cluster, hardwareKind);
  return objects.map(({ metadata: { name, labels = {} } }) => {
    const owner = labels[OWNER_LABEL];
    return { hostname: name, labels, ...(owner === undefined ? {} : { owner }) };
  });
}

/** A machine of a cluster, and the Hardware that it is. */
export interface TinkerbellMachine {
  name: string;
  hardwareName?: string;
}

export async function machinesOfCluster(
  cluster: Pick<ClusterAccess, 'list'>,
  { name }: ClusterSpec,
): Promise<TinkerbellMachine[]> {
  const kind = { apiVersion: INFRASTRUCTURE, kind: 'TinkerbellMachine' };
  const objects = await listed(cluster, kind, `${CLUSTER_NAME_LABEL}=${name}`);
  return objects.map(({ metadata, spec }) => {
    const { hardwareName = '' } = (spec ?? {}) as { hardwareName?: string };
    return { name: metadata.name, ...(hardwareName === '' ? {} : { hardwareName }) };
  });
}

function listed(
  cluster: Pick<ClusterAccess, 'list'>,
  kind: Pick<KubernetesObject, 'apiVersion' | 'kind'>,
  labelSelector?: string,
): Promise<KubernetesObject[]> {
  const options = { namespace: CLUSTER_NAMESPACE, ...(labelSelector === undefined ? {} : { labelSelector }) };
  return cluster.list(kind, options).catch((error: unknown) => {
    if (isErrorType(error, 'KindUnknown')) return [];
    throw error;
  });
}

/**
 * Makes hardware known to Tinkerbell. What is a machine already keeps its Hardware as it is, since that says that it is
 * not to be installed again; its BMC's password is renewed.
 * @throws SealiftError ContentMissing where Tinkerbell is not installed; those of a Cluster
 */
export async function applyHardware(
  hardware: readonly Hardware[],
  access: ClusterAccess,
  settings: BmcSettings,
): Promise<void> {
  const owned = new Set(
    (await knownHardware(access)).flatMap(({ hostname, owner }) => (owner === undefined ? [] : hostname)),
  );
  const objects = hardware.flatMap((one) => {
    const { hardware: object, bmc } = hardwareObjects(one, settings);
    const ofBmc = bmc === undefined ? [] : [bmc.secret, bmc.machine];
    return owned.has(one.hostname) ? ofBmc : [...ofBmc, object];
  });
  const namespace: KubernetesObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CLUSTER_NAMESPACE } };
  await using cluster = await openCluster(access.kubeconfig);
  await cluster.applyAll([namespace, ...objects]).catch((error: unknown) => {
    throw isErrorType(error, 'KindUnknown') ? tinkerbellMissing(cluster.server, error) : error;
  });
}

function tinkerbellMissing(server: string, cause: unknown): SealiftError {
  return new SealiftError('ContentMissing', {
    side: 'cluster',
    operation: 'apply hardware',
    subject: server,
    message: 'Tinkerbell is not installed there: it knows neither Hardware nor BMCs',
    remedy: 'install the charts of tinkerbellStack (tinkerbell-crds and tinkerbell) of the bundle there, then retry',
    cause,
  });
}

/**
 * Waits until Tinkerbell reaches the BMCs of hardware.
 * @param hardware all that Tinkerbell knows, when absent
 * @throws SealiftError ClusterNotReady naming those that it does not reach, and why
 */
export async function awaitContact(
  access: ClusterAccess,
  { alive }: Pick<ProviderContext, 'alive'>,
  hardware?: readonly Hardware[],
): Promise<void> {
  const names = hardware?.flatMap(({ hostname, bmc }) => (bmc === undefined ? [] : bmcName(hostname)));
  if (names?.length === 0) return;
  await using cluster = await openCluster(access.kubeconfig);
  await waitFor(cluster, {
    subject: 'BMCs',
    watched: [{ ...bmcMachineKind, namespace: CLUSTER_NAMESPACE }],
    decide: (machines) => bmcsContacted(machines.filter(({ metadata }) => names?.includes(metadata.name) ?? true)),
    timeoutMs: CONTACT_TIMEOUT_MS,
    alive,
  });
}

/** Whether Tinkerbell reaches all of these BMCs (objects of kind Machine). Pure. */
export function bmcsContacted(machines: readonly KubernetesObject[]): Decision {
  const waiting = machines.flatMap((machine) => {
    const { conditions = [] } = (machine['status'] ?? {}) as { conditions?: Condition[] };
    const contact = conditions.find(({ type }) => type === 'Contactable');
    if (contact?.status === 'True') return [];
    return contact?.message === undefined ? machine.metadata.name : `${machine.metadata.name} (${contact.message})`;
  });
  const reached = `${machines.length - waiting.length} of ${machines.length} BMCs are reached`;
  return {
    done: waiting.length === 0,
    detail: waiting.length === 0 ? reached : `${reached}; not: ${waiting.join(', ')}`,
  };
}

interface Condition {
  type: string;
  status: string;
  message?: string;
}
