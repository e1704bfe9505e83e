import type { ProviderPlugin } from '../../../contracts/provider-plugin.ts';
import { upgradeSteps } from '../../../core/clusters/upgrade-plan.ts';
import { leftMachines, prepareAssets } from './assets.ts';
import { credentialSecrets, findUser } from './credentials.ts';
import { preflight } from './preflight.ts';
import { render } from './render.ts';
import { datacenterKind, machineKind } from './schema.ts';
import { specTemplate } from './spec-template.ts';
import { checkDocument, validateSpec } from './validate.ts';

/** Virtual machines of a vCenter: see README.md. */
export const vsphere: ProviderPlugin = {
  name: 'vsphere',
  summary: 'virtual machines of a vCenter, made from templates',
  kinds: { datacenter: datacenterKind, machine: machineKind, others: [] },
  needsBootstrap: (operation) => operation !== 'upgrade',
  specTemplate,
  checkDocument,
  validateSpec: (spec, previous) => validateSpec(spec, previous),
  preflight,
  prepareAssets,
  capi: (_spec, { env }) => {
    const user = findUser(env);
    // its manager wants a user before there is any cluster; each cluster brings a Secret of its own
    const variables = { VSPHERE_USERNAME: singleQuoted(user?.name), VSPHERE_PASSWORD: singleQuoted(user?.password) };
    const program = { binary: 'capv' };
    return {
      name: 'vsphere',
      namespace: 'capv-system',
      env: variables,
      // as EKS Anywhere builds the image, and as upstream does
      programs: { manager: program, 'cluster-api-vsphere-controller': program },
    };
  },
  bootstrapPrereqs: () => Promise.resolve([]),
  postCapiInit: () => Promise.resolve(),
  render,
  upgradePlan: upgradeSteps,
  preMove: () => Promise.resolve(),
  postMove: () => Promise.resolve(),
  postWorkload: () => Promise.resolve(),
  preDelete: () => Promise.resolve(),
  postDelete: leftMachines,
  credentials: (spec, { env }) => Promise.resolve().then(() => credentialSecrets(spec, env)),
};

/** Its component manifest puts them between single quotes in YAML. */
function singleQuoted(value = ''): string {
  return value.replaceAll("'", "''");
}
