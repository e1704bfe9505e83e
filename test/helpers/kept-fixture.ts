import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { looseDefinition } from './loose-definition.ts';
import { projectRoot } from './paths.ts';

const DEFINITION = 'CustomResourceDefinition';

/**
 * What another version keeps on a management cluster, to be applied: definitions first, those that the fixture has not let
 * everything pass.
 * @param fixture file in test/fixtures
 */
export async function keptByFixture(fixture: string): Promise<KubernetesObject[]> {
  const documents = parseAllDocuments(await readFile(join(projectRoot, 'test', 'fixtures', fixture), 'utf8'));
  const kept = documents.map((document) => document.toJS() as KubernetesObject);
  const defined = kept.filter(({ kind }) => kind === DEFINITION).map(definedKind);
  const others = kept.filter(({ kind }) => kind !== DEFINITION && !defined.includes(kind));
  const loose = new Map(others.map((object) => [object.kind, looselyKept(object)]));
  return [...loose.values(), ...kept];
}

function definedKind({ spec }: KubernetesObject): string {
  return (spec as { names: { kind: string } }).names.kind;
}

function looselyKept({ apiVersion, kind }: KubernetesObject): KubernetesObject {
  return looseDefinition({ apiVersion, kind }, `${kind.toLowerCase()}s`);
}
