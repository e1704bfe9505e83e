import type { ProviderPlugin } from '../../../contracts/provider-plugin.ts';
import { upgradeSteps } from '../../../core/clusters/upgrade-plan.ts';
import { bmcSettings } from './bmc/contact.ts';
import { charts } from './charts.ts';
import { requireHardware } from './hardware-list.ts';
import { hardwareObjects } from './hardware-objects.ts';
import { applyHardware, awaitContact } from './hardware-on-cluster.ts';
import { leftBehind, noteHardware } from './left-behind.ts';
import { preflight } from './preflight/preflight.ts';
import { render } from './render.ts';
import { datacenterKind, machineKind, templateKind, type TinkerbellDatacenterSpec } from './schema.ts';
import { specTemplate } from './spec-template.ts';
import { stuckWorkflows } from './stuck-workflows.ts';
import { checkDocument, validateSpec } from './validate.ts';

/** Cluster API's provider knows the flags for its webhooks' port and certificate, and does not heed them (0.7.0). */
const listening = { metricsFlag: '--metrics-bind-addr', webhookPort: 9443 };

/** The programs in its images, see CapiProvider. */
export const programs = { 'cluster-api-provider-tinkerbell': { binary: 'capt', listening } };

/** Bare metal, by Tinkerbell: see README.md. */
export const tinkerbell: ProviderPlugin = {
  name: 'tinkerbell',
  summary: 'bare metal: machines of a hardware list, installed over the network by Tinkerbell',
  kinds: { datacenter: datacenterKind, machine: machineKind, others: [templateKind] },
  needsBootstrap: (operation) => operation !== 'upgrade',
  specTemplate,
  checkDocument,
  validateSpec,
  preflight,
  prepareAssets: () => Promise.resolve(),
  capi: ({ datacenter }) => ({
    name: 'tinkerbell',
    namespace: 'capt-system',
    env: { TINKERBELL_IP: (datacenter.spec as unknown as TinkerbellDatacenterSpec).tinkerbellIP },
    programs,
  }),
  bootstrapPrereqs: () => Promise.resolve([]),
  charts,
  async postCapiInit(_spec, cluster, context) {
    const hardware = await requireHardware(context);
    await applyHardware(hardware, cluster, await bmcSettings(context.env));
    // a management cluster also has the hardware of other clusters, which is none of this one's troubles
    await awaitContact(cluster, context, hardware);
  },
  render,
  upgradePlan: upgradeSteps,
  stuck: stuckWorkflows,
  preMove: () => Promise.resolve(),
  postMove: (_spec, to, context) => awaitContact(to, context),
  postWorkload: () => Promise.resolve(),
  preDelete: noteHardware,
  postDelete: leftBehind,
  async credentials(_spec, context) {
    const settings = await bmcSettings(context.env);
    const hardware = await requireHardware(context);
    return hardware.flatMap((one) => hardwareObjects(one, settings).bmc?.secret ?? []);
  },
};
