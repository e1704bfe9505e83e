import type { EksaClusterSpec, ObjectReference, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, subjectOf, type FindingPath } from './findings.ts';
import { nearestWord } from './nearest.ts';
import type { SpecProvider } from './read-documents.ts';

interface Reference extends ObjectReference {
  /** the document that says it */
  from: SpecObject;
  path: FindingPath;
  /** what it can lead to; anything when absent, as where nobody knows the provider */
  kinds?: readonly string[];
}

/**
 * Follows the references from the cluster through the documents of the file.
 * @returns what is referred to, and findings: references that lead nowhere, documents nobody refers to, other namespaces
 */
export function followReferences(
  cluster: SpecObject<EksaClusterSpec>,
  documents: readonly SpecObject[],
  provider: SpecProvider | undefined,
): { reached: SpecObject[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const reached = new Set<SpecObject>();
  const open = referencesOfCluster(cluster, provider?.kinds);
  for (let reference = open.shift(); reference !== undefined; reference = open.shift()) {
    const target = documents.find((one) => one.kind === reference.kind && one.metadata.name === reference.name);
    if (reference.kinds?.includes(reference.kind) === false) findings.push(wrongKind(reference, reference.kinds));
    else if (target === undefined) findings.push(nowhere(reference, documents));
    else if (!reached.has(target)) {
      reached.add(target);
      open.push(...templateReference(target));
    }
  }
  for (const document of documents) {
    const at = finder(findings, subjectOf(document), 'spec');
    if (!reached.has(document)) {
      const message = 'nothing in the file refers to it; nothing is done with it';
      at.warning('unused', ['metadata', 'name'], message, 'refer to it, or take it out');
    } else if (namespaceOf(document) !== namespaceOf(cluster) && document.metadata.namespace !== undefined) {
      const message = `it is in the namespace ${namespaceOf(document)}, and the cluster in ${namespaceOf(cluster)}`;
      at.problem('namespace', ['metadata', 'namespace'], message, 'put all documents into one namespace');
    }
  }
  return { reached: [...reached], findings };
}

export function namespaceOf(document: { metadata: { namespace?: string } }): string {
  return document.metadata.namespace ?? 'default';
}

function referencesOfCluster(
  cluster: SpecObject<EksaClusterSpec>,
  known: SpecProvider['kinds'] | undefined,
): Reference[] {
  const { spec } = cluster;
  const from = cluster as unknown as SpecObject;
  const machineKinds = known === undefined ? undefined : [known.machine];
  function reference(path: FindingPath, to: ObjectReference | undefined, kinds?: readonly string[]): Reference[] {
    return to === undefined
      ? []
      : [{ ...to, from, path: ['spec', ...path], ...(kinds === undefined ? {} : { kinds }) }];
  }
  function machines(path: FindingPath, to: ObjectReference | undefined): Reference[] {
    return reference([...path, 'machineGroupRef'], to, machineKinds);
  }
  return [
    ...reference(['datacenterRef'], spec.datacenterRef),
    ...machines(['controlPlaneConfiguration'], spec.controlPlaneConfiguration.machineGroupRef),
    ...machines(['externalEtcdConfiguration'], spec.externalEtcdConfiguration?.machineGroupRef),
    ...(spec.workerNodeGroupConfigurations ?? []).flatMap((group, index) =>
      machines(['workerNodeGroupConfigurations', index], group.machineGroupRef),
    ),
    ...reference(['gitOpsRef'], spec.gitOpsRef, ['FluxConfig', 'GitOpsConfig']),
    ...(spec.identityProviderRefs ?? []).flatMap((to, index) =>
      reference(['identityProviderRefs', index], to, ['OIDCConfig', 'AWSIamConfig']),
    ),
  ];
}

/** Machine configs of bare metal refer on, to the template of their installation. */
function templateReference(document: SpecObject): Reference[] {
  const to = document.spec['templateRef'] as ObjectReference | undefined;
  return to === undefined ? [] : [{ ...to, from: document, path: ['spec', 'templateRef'] }];
}

function nowhere({ kind, name, from, path }: Reference, documents: readonly SpecObject[]): Finding {
  const names = documents.filter((one) => one.kind === kind).map((one) => one.metadata.name);
  const near = nearestWord(name, names);
  const among = names.length === 0 ? `the file has no ${kind}` : `the file has ${kind} ${names.join(', ')}`;
  const remedy =
    near === undefined ? `add it to the file, or correct the reference: ${among}` : `did you mean ${near}?`;
  const message = `it refers to ${kind} ${name}, which is not in the file`;
  return {
    id: 'spec.reference',
    status: 'problem',
    subject: subjectOf(from),
    message,
    remedy,
    path: [...path, 'name'],
  };
}

function wrongKind({ kind, from, path }: Reference, kinds: readonly string[]): Finding {
  const message = `it cannot refer to a ${kind}`;
  const remedy = `refer to a ${kinds.join(' or ')}`;
  return {
    id: 'spec.reference',
    status: 'problem',
    subject: subjectOf(from),
    message,
    remedy,
    path: [...path, 'kind'],
  };
}
