import type { SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finder, FindingPath } from './findings.ts';

interface InertField {
  kind: string;
  /** `*` is any entry of a list */
  path: FindingPath;
  why: string;
}

/** Fields that upstream has and Sealift does nothing with, or not what upstream does. Whoever makes one work takes it out here. */
export const inertFields: readonly InertField[] = [
  inert('Cluster', 'spec.bundlesRef', 'the release comes from the bundle or registry that the command names'),
  inert('Cluster', 'spec.packages', 'curated packages are not installed'),
  inert('Cluster', 'spec.licenseToken', 'no license is asked for'),
  inert('Cluster', 'spec.etcdEncryption', 'secrets in etcd are not encrypted'),
  inert('AWSIamConfig', 'spec', 'AWS IAM Authenticator is not set up'),
  inert(
    'Cluster',
    'spec.controlPlaneConfiguration.skipAdmissionForSystemResources',
    'admission is the same for all resources',
  ),
  inert('Cluster', 'spec.controlPlaneConfiguration.taints.*.timeAdded', 'Kubernetes writes it itself'),
  inert('Cluster', 'spec.workerNodeGroupConfigurations.*.taints.*.timeAdded', 'Kubernetes writes it itself'),
];

/** Warns of every inert field that the document has. */
export function inertRules(document: SpecObject, at: Finder): void {
  for (const { kind, path, why } of inertFields) {
    if (kind !== document.kind) continue;
    for (const found of matches(document, path)) {
      at.warning('inert', found, `Sealift does nothing with it: ${why}`, 'take it out, or leave it for upstream');
    }
  }
}

/** What only an API server writes: people save objects from one. */
const serverFields = [
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'generateName',
  'generation',
  'managedFields',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
];

/** The document without what only an API server writes; warns of each that it had. */
export function withoutServerFields(document: SpecObject, at: Finder): SpecObject {
  const { status, metadata, ...rest } = document;
  const kept = Object.entries(metadata).filter(([field]) => !serverFields.includes(field));
  for (const field of Object.keys(metadata).filter((name) => serverFields.includes(name))) {
    at.warning('server-field', ['metadata', field], 'an API server writes this itself; it is left out', 'take it out');
  }
  if (status !== undefined && Object.keys(status as object).length > 0) {
    at.warning('server-field', ['status'], 'an API server writes this itself; it is left out', 'take it out');
  }
  return { ...rest, metadata: Object.fromEntries(kept) as unknown as SpecObject['metadata'] };
}

function inert(kind: string, path: string, why: string): InertField {
  return { kind, path: path.split('.'), why };
}

function matches(value: unknown, path: FindingPath): FindingPath[] {
  const [key, ...rest] = path;
  if (key === undefined) return [[]];
  if (typeof value !== 'object' || value === null) return [];
  const keys = key === '*' ? [...(value as unknown[]).keys()] : Object.hasOwn(value, key) ? [key] : [];
  return keys.flatMap((one) =>
    matches((value as Record<string | number, unknown>)[one], rest).map((found) => [one, ...found]),
  );
}
