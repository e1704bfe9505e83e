import { stringify } from 'yaml';
import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import { mirroredReference } from '../../../core/clusters/render/mirror.ts';
import { tinkerbellAddresses } from './tinkerbell-address.ts';
import { writeFileAction, networkAction, type Action } from './install-actions.ts';
import { METADATA_PORT } from './ports.ts';
import {
  templateKind,
  type TinkerbellDatacenterSpec,
  type TinkerbellMachineSpec,
  type TinkerbellTemplateSpec,
} from './schema.ts';

/** HookOS, which machines boot to be installed, has the images of actions in itself under this name. */
export const EMBEDDED = '127.0.0.1/embedded';

/**
 * The workflow that installs a machine, as YAML for `templateOverride`: the TinkerbellTemplateConfig that the machine config
 * names, with its images from the registry mirror, or the actions that EKS Anywhere has for Ubuntu and Red Hat. Tinkerbell
 * fills in `{{...}}` from the machine's Hardware. Pure.
 *
 * @returns undefined for Bottlerocket without a template of its own
 */
export function installTemplate(spec: ClusterSpec, machine: SpecObject<TinkerbellMachineSpec>): string | undefined {
  const template = ownTemplate(spec, machine) ?? defaultTemplate(spec, machine);
  return template === undefined ? undefined : stringify(template, { lineWidth: 0, blockQuote: 'literal' });
}

type Template = TinkerbellTemplateSpec['template'];

function ownTemplate(
  spec: ClusterSpec,
  { spec: { templateRef } }: SpecObject<TinkerbellMachineSpec>,
): Template | undefined {
  const found = spec.others.find(({ kind, metadata }) => kind === templateKind && metadata.name === templateRef?.name);
  if (found === undefined) return undefined;
  const { template } = found.spec as unknown as TinkerbellTemplateSpec;
  const mirror = spec.cluster.spec.registryMirrorConfiguration;
  const tasks = template.tasks.map((task) => ({
    ...task,
    actions: task.actions.map((action) => ({
      ...action,
      image: namesRegistry(action.image) ? mirroredReference(action.image, mirror) : action.image,
    })),
  }));
  return { ...template, tasks };
}

/** What is embedded in HookOS, or names no registry, is not pulled from one. */
function namesRegistry(image: string): boolean {
  const host = image.split('/', 1)[0]!;
  return host !== image && /[.:]/.test(host) && host !== '127.0.0.1';
}

function defaultTemplate(spec: ClusterSpec, machine: SpecObject<TinkerbellMachineSpec>): Template | undefined {
  const { osFamily } = machine.spec;
  if (osFamily === 'bottlerocket') return undefined;
  // the images of Ubuntu have the partition of UEFI first
  const partition = `{{ formatPartition ( index .Hardware.Disks 0 ) ${osFamily === 'ubuntu' ? 2 : 1} }}`;
  const volumes = ['/dev:/dev', '/dev/console:/dev/console', '/lib/firmware:/lib/firmware:ro'];
  const write = writeFileAction(`${EMBEDDED}/writefile`, partition);
  const actions = [
    streamImage(spec, machine),
    networkAction(osFamily, write),
    write('disable cloud-init network capabilities', {
      path: '/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg',
      contents: 'network: {config: disabled}',
    }),
    write('add cloud-init config', { path: '/etc/cloud/cloud.cfg.d/10_tinkerbell.cfg', contents: cloudInit(spec) }),
    write('add cloud-init ds config', { path: '/etc/cloud/ds-identify.cfg', contents: 'datasource: Ec2\n' }),
    { name: 'reboot', image: `${EMBEDDED}/reboot`, timeout: 90, pid: 'host', volumes: ['/worker:/worker'] },
  ];
  const task = { name: spec.name, worker: '{{.device_1}}', volumes, actions };
  return { version: '0.1', name: spec.name, global_timeout: 6000, tasks: [task] };
}

function streamImage(spec: ClusterSpec, machine: SpecObject<TinkerbellMachineSpec>): Action {
  return {
    name: 'stream image to disk',
    image: `${EMBEDDED}/image2disk`,
    timeout: 600,
    environment: {
      DEST_DISK: '{{ index .Hardware.Disks 0 }}',
      IMG_URL: osImage(spec, machine),
      COMPRESSED: 'true',
      ...proxyVariables(spec),
    },
  };
}

/** URL of the image that is written to a machine's disk; empty when none is named. */
export function osImage({ datacenter }: ClusterSpec, machine: SpecObject<TinkerbellMachineSpec>): string {
  const { osImageURL: shared = '' } = datacenter.spec as unknown as TinkerbellDatacenterSpec;
  const { osImageURL: own = '' } = machine.spec;
  return own === '' ? shared : own;
}

/** Of HookOS and the actions in it; empty where no proxy is used. */
export function proxyVariables(spec: ClusterSpec): Record<string, string> {
  const proxy = spec.cluster.spec.proxyConfiguration;
  if (proxy === undefined) return {};
  const noProxy = [...(proxy.noProxy ?? []), ...tinkerbellAddresses(spec)].join(',');
  return { HTTP_PROXY: proxy.httpProxy, HTTPS_PROXY: proxy.httpsProxy, NO_PROXY: noProxy };
}

function cloudInit(spec: ClusterSpec): string {
  const urls = tinkerbellAddresses(spec).map((address) => `http://${address}:${METADATA_PORT}`);
  return stringify({
    datasource: { Ec2: { metadata_urls: urls, strict_id: false } },
    manage_etc_hosts: 'localhost',
    warnings: { dsid_missing_source: 'off' },
  });
}
