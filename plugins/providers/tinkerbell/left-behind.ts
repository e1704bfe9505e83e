import { join } from 'node:path';
import type { ClusterSpec, KubernetesObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { ClusterAccess, ProviderContext } from '../../../contracts/provider-plugin.ts';
import { CLUSTER_NAMESPACE } from '../../../core/clusters/render/names.ts';
import { finder, type Finder } from '../../../core/clusters/spec/findings.ts';
import { readFileIfPresent, writeFileAtomically } from '../../../core/host/atomic-file.ts';
import { contactAll, type BmcHost } from './bmc/contact-all.ts';
import { bmcSettings } from './bmc/contact.ts';
import { requireHardware } from './hardware-list.ts';
import { bmcMachineKind, bmcName } from './hardware-objects.ts';
import { knownHardware, machinesOfCluster, type KnownHardware } from './hardware-on-cluster.ts';
import { selects, tinkerbellMachines } from './selection.ts';

/** Notes which hardware a cluster has, since nothing says so once it is deleted. */
export async function noteHardware(
  spec: ClusterSpec,
  management: ClusterAccess,
  { scratch }: Pick<ProviderContext, 'scratch'>,
): Promise<void> {
  const machines = await machinesOfCluster(management, spec);
  const names = machines.flatMap(({ hardwareName }) => hardwareName ?? []);
  // it may be half deleted already
  const noted = (await notedHardware(spec, scratch)) ?? [];
  await writeFileAtomically(noteFile(spec, scratch), JSON.stringify([...new Set([...noted, ...names])]));
}

async function notedHardware(spec: ClusterSpec, scratch: string): Promise<string[] | undefined> {
  const text = await readFileIfPresent(noteFile(spec, scratch));
  return text === undefined ? undefined : (JSON.parse(text) as string[]);
}

function noteFile({ name }: ClusterSpec, scratch: string): string {
  return join(scratch, `hardware-of-${name}.json`);
}

/**
 * Says what a deleted cluster has left behind: machines, hardware that is not released, and hardware that is on.
 * @param management where the cluster was deleted; without it only the power of what is in the hardware list is looked at
 */
export async function leftBehind(
  spec: ClusterSpec,
  context: ProviderContext,
  management?: ClusterAccess,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const at = (subject: string): Finder => finder(findings, subject, 'tinkerbell');
  const noted = await notedHardware(spec, context.scratch);
  const had = (one: { hostname: string; labels?: Record<string, string> }): boolean =>
    noted?.includes(one.hostname) ??
    tinkerbellMachines(spec).some(({ spec: machine }) => selects(machine, one.labels ?? {}));

  const known = management === undefined ? [] : (await knownHardware(management)).filter(had);
  const machines = management === undefined ? [] : await machinesOfCluster(management, spec);
  for (const { name } of machines) {
    at(`TinkerbellMachine ${name}`).problem('left-behind', [], 'it is still there', 'look at what its conditions say');
  }
  for (const { hostname, owner } of known) {
    if (owner === undefined || (noted === undefined && !machines.some(({ name }) => name === owner))) continue;
    const message = `it is not released: ${owner} has it`;
    at(`Hardware ${hostname}`).problem('left-behind', [], message, 'look at what the TinkerbellMachine says');
  }
  const hosts = await bmcHosts(known, context, management);
  // what another cluster has is none of this one's
  const free = hosts.filter((host) => noted !== undefined || !isOwned(known, host));
  for (const { host, answer } of await contactAll(free.filter(had), await bmcSettings(context.env), context)) {
    if (answer.kind !== 'answers') {
      at(host.hostname).warning('power', [], `whether it is off is not known: ${answer.detail}`, 'look at the machine');
    } else if (answer.power === 'on') {
      at(host.hostname).problem('power', [], 'it is still on', 'switch it off');
    }
  }
  return findings;
}

function isOwned(known: readonly KnownHardware[], { hostname }: BmcHost): boolean {
  return known.some((one) => one.hostname === hostname && one.owner !== undefined);
}

interface LabelledHost extends BmcHost {
  labels: Record<string, string>;
}

/** How BMCs are logged in to, as the management cluster has it, else as the hardware list does. */
async function bmcHosts(
  known: readonly KnownHardware[],
  context: ProviderContext,
  management?: ClusterAccess,
): Promise<LabelledHost[]> {
  const hosts = new Map<string, LabelledHost>();
  for (const { hostname, labels, bmc } of await requireHardware(context)) {
    if (bmc !== undefined) hosts.set(hostname, { hostname, labels, bmc });
  }
  if (management === undefined) return [...hosts.values()];
  for (const one of known) {
    const host = await hostOf(one, management);
    if (host !== undefined) hosts.set(host.hostname, host);
  }
  return [...hosts.values()];
}

async function hostOf(
  { hostname, labels }: KnownHardware,
  management: ClusterAccess,
): Promise<LabelledHost | undefined> {
  const metadata = { name: bmcName(hostname), namespace: CLUSTER_NAMESPACE };
  const machine = await management.get({ ...bmcMachineKind, metadata });
  if (machine === undefined) return undefined;
  const { host, authSecretRef } = (machine as BmcMachine).spec.connection;
  const secret = await management.get({
    ...{ apiVersion: 'v1', kind: 'Secret' },
    metadata: { name: authSecretRef.name, namespace: authSecretRef.namespace },
  });
  const { username = '', password = '' } = (secret?.['data'] ?? {}) as Record<string, string>;
  return { hostname, labels, bmc: { ip: host, username: fromBase64(username), password: fromBase64(password) } };
}

interface BmcMachine extends KubernetesObject {
  spec: { connection: { host: string; authSecretRef: { name: string; namespace: string } } };
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}
