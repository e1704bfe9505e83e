import { parseAllDocuments, stringify } from 'yaml';
import type { ClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';
import type { ReadSpec } from '../../../core/clusters/spec/read-spec.ts';
import type { SpecProvider } from '../../../core/clusters/spec/read-documents.ts';
import { readText } from '../../../core/clusters/spec/testing.ts';
import { toolRunner } from '../../../core/host/run-tool.ts';
import { datacenterKind, machineKind } from './schema.ts';
import { specTemplate } from './spec-template.ts';
import { checkDocument, validateSpec } from './validate.ts';

// What tests of this plugin share; nothing else may use it.

export const specProvider: SpecProvider = {
  name: 'vsphere',
  kinds: { datacenter: datacenterKind, machine: machineKind, others: [] },
  checkDocument,
  validateSpec,
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Fields = Record<string, any>;

/** `spec` of the documents of the template, for tests to change. */
export type Documents = Record<'cluster' | 'datacenter' | 'plane' | 'worker', Fields>;

/** The template after a change. */
export function changedTemplate(change: (documents: Documents) => void): ReadSpec {
  const objects = parseAllDocuments(specTemplate('prod')).map((document) => document.toJS() as { spec: Fields });
  const [cluster = {}, datacenter = {}, plane = {}, worker = {}] = objects.map(({ spec }) => spec);
  change({ cluster, datacenter, plane, worker });
  return readText(objects.map((object) => stringify(object)).join('---\n'), [specProvider]);
}

/** A specification that fits a simulated vCenter, after a change. @param template of all machines */
export function specInVcsim(
  { server, sha256 }: { server: string; sha256: string },
  template: string,
  change: (documents: Documents) => void = () => undefined,
): ClusterSpec {
  const { spec, findings } = changedTemplate((documents) => {
    const { datacenter, plane, worker } = documents;
    Object.assign(datacenter, { server, thumbprint: sha256, datacenter: 'DC0' });
    datacenter.network = '/DC0/network/VM Network';
    for (const machine of [plane, worker]) {
      Object.assign(machine, { template, folder: '/DC0/vm/Kubernetes', resourcePool: '*/Resources' });
      machine.datastore = '/DC0/datastore/LocalDS_0';
    }
    change(documents);
  });
  if (spec === undefined) throw new Error(JSON.stringify(findings));
  return spec;
}

/** A command line that a test has seen. */
export interface SeenRun {
  command: string;
  args: readonly string[];
}

/**
 * What a worker gives to the plugin.
 * @param place its folder, and the folder of its programs
 * @param runs takes every command line
 */
export function contextInVcsim(
  { user }: { user: { name: string; password: string } },
  { scratch, tools }: { scratch: string; tools: string },
  runs: SeenRun[],
): ProviderContext {
  const run = toolRunner([tools], process.env);
  return {
    env: { EKSA_VSPHERE_USERNAME: user.name, EKSA_VSPHERE_PASSWORD: user.password },
    scratch,
    run: (command, args, options) => {
      runs.push({ command, args });
      return run(command, args, options);
    },
    alive: () => undefined,
    warn: () => undefined,
  };
}
