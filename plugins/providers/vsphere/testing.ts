import { parseAllDocuments, stringify } from 'yaml';
import type { ReadSpec } from '../../../core/clusters/spec/read-spec.ts';
import type { SpecProvider } from '../../../core/clusters/spec/read-documents.ts';
import { readText } from '../../../core/clusters/spec/testing.ts';
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
