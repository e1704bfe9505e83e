import { isIP } from 'node:net';
import type { ClusterSpec } from '../../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../../contracts/clusters.ts';
import type { PreflightRequest, ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { finder, subjectOf } from '../../../../core/clusters/spec/findings.ts';
import { readHardware } from '../hardware-list.ts';
import type { TinkerbellDatacenterSpec } from '../schema.ts';
import { BOOTSTRAP_ANNOTATION, bootstrapAddress } from '../tinkerbell-address.ts';
import { whileAlive } from '../while-alive.ts';
import { bmcFindings } from './bmcs.ts';
import { hardwareFindings } from './hardware.ts';
import { imageFindings } from './images.ts';
import { addressFindings, portFindings, type WantedAddress } from './network.ts';

/** What `--skip-validations` can leave out, each with `tinkerbell-` before it. */
export const skippable = ['hardware', 'bmcs', 'addresses', 'ports', 'images'] as const;
type Validation = (typeof skippable)[number];

/**
 * Everything about hardware and network that would make an operation fail. Changes nothing.
 * @throws SealiftError for what cannot be asked at all: those of bmcSettings and of a Cluster
 */
export async function preflight(request: PreflightRequest, context: ProviderContext): Promise<Finding[]> {
  const { spec, operation, skip } = request;
  const list = await readHardware(context);
  const creates = operation === 'create';
  // the list has faults: what is missing in it would be counted as missing altogether
  const isWhole = list?.findings.every(({ status }) => status !== 'problem') ?? true;
  const validations: Record<Validation, () => Promise<Finding[]>> = {
    hardware: () => (operation === 'delete' || !isWhole ? none() : hardwareFindings(request, list?.hardware)),
    bmcs: () => bmcFindings(list?.hardware ?? [], request, context),
    addresses: async () =>
      creates ? [...bootstrapAddressFindings(spec), ...(await addressFindings(newAddresses(spec)))] : [],
    ports: () => (creates && spec.role === 'management' ? portFindings() : none()),
    images: () =>
      operation === 'delete' ? none() : whileAlive(imageFindings(spec), context, () => 'asking for images'),
  };
  const wanted = skippable.filter((name) => !skip.includes(`tinkerbell-${name}`));
  const findings = await Promise.all(wanted.map((name) => validations[name]()));
  return [...(list?.findings ?? []), ...findings.flat()];
}

function none(): Promise<Finding[]> {
  return Promise.resolve([]);
}

/**
 * A new management cluster is installed by the Tinkerbell of its bootstrap cluster, which listens at the address of a node there;
 * `tinkerbellIP` is nobody's until the new cluster announces it.
 */
function bootstrapAddressFindings(spec: ClusterSpec): Finding[] {
  if (spec.role === 'workload') return [];
  const { tinkerbellIP } = spec.datacenter.spec as unknown as TinkerbellDatacenterSpec;
  const address = bootstrapAddress(spec);
  if (address !== undefined && isIP(address) !== 0 && address !== tinkerbellIP) return [];
  const findings: Finding[] = [];
  const message =
    address === undefined
      ? 'nothing says where Tinkerbell answers on the bootstrap cluster, which installs the first machines'
      : `${JSON.stringify(address)} cannot be where Tinkerbell answers on the bootstrap cluster`;
  const remedy = `set the annotation ${BOOTSTRAP_ANNOTATION} to the address of the bootstrap cluster's node on the machines' network; tinkerbellIP is another one`;
  const path = ['metadata', 'annotations', ...(address === undefined ? [] : [BOOTSTRAP_ANNOTATION])];
  finder(findings, subjectOf(spec.cluster), 'tinkerbell').problem('bootstrap-address', path, message, remedy);
  return findings;
}

/** A workload cluster is installed by the Tinkerbell of its management cluster, which is at its address already. */
function newAddresses({ cluster, datacenter, role }: ClusterSpec): WantedAddress[] {
  const { tinkerbellIP } = datacenter.spec as unknown as TinkerbellDatacenterSpec;
  const host = cluster.spec.controlPlaneConfiguration.endpoint?.host;
  const path = ['spec', 'controlPlaneConfiguration', 'endpoint', 'host'];
  return [
    ...(host === undefined ? [] : [{ address: host, subject: subjectOf(cluster), path }]),
    ...(role === 'workload'
      ? []
      : [{ address: tinkerbellIP, subject: subjectOf(datacenter), path: ['spec', 'tinkerbellIP'] }]),
  ];
}
