import type { z } from 'zod';
import type { LocatedDocument, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { CheckedDocument, ProviderPlugin } from '../../../contracts/provider-plugin.ts';
import { SealiftError } from '../../errors.ts';
import { positionOfText } from '../../sources/input-error.ts';
import { parseYamlDocuments, valueAt } from '../../sources/yaml-documents.ts';
import { clusterDocument } from './cluster-schema.ts';
import { specApiVersion, specGroup, specVersion } from './common-schema.ts';
import { finder, subjectOf } from './findings.ts';
import { fluxConfigDocument, gitOpsConfigDocument } from './gitops-schema.ts';
import { awsIamConfigDocument, oidcConfigDocument } from './identity-schema.ts';
import { inertRules, withoutServerFields } from './inert-fields.ts';
import { nearestWord } from './nearest.ts';
import { checkShape, documentName } from './shape.ts';

/** What reading a specification asks of a provider plugin. */
export type SpecProvider = Pick<ProviderPlugin, 'name' | 'kinds' | 'checkDocument' | 'validateSpec'>;

/** A document whose shape is right, and where it came from. */
export interface ReadDocument {
  object: SpecObject;
  located: LocatedDocument;
}

const commonKinds: Record<string, z.ZodType> = {
  Cluster: clusterDocument,
  FluxConfig: fluxConfigDocument,
  GitOpsConfig: gitOpsConfigDocument,
  OIDCConfig: oidcConfigDocument,
  AWSIamConfig: awsIamConfigDocument,
};

/**
 * Reads every document of a specification and looks at each alone.
 * @returns those with the right shape, and what is wrong with all
 */
export function readDocuments(
  file: string,
  bytes: Uint8Array,
  providers: readonly SpecProvider[],
): { documents: ReadDocument[]; findings: Finding[] } {
  let located: LocatedDocument[];
  try {
    located = parseYamlDocuments(file, bytes);
  } catch (error) {
    if (!(error instanceof SealiftError) || error.type !== 'InvalidInput') throw error;
    return { documents: [], findings: [unreadable(file, error)] };
  }
  const findings: Finding[] = [];
  const documents = located.flatMap((document) => readDocument(document, providers, findings) ?? []);
  return { documents, findings };
}

function unreadable(file: string, { problem }: SealiftError): Finding {
  const position = { line: 1, column: 1, ...positionOfText(problem.subject), file };
  return {
    id: 'spec.yaml',
    status: 'problem',
    subject: file,
    message: problem.message,
    remedy: problem.remedy,
    position,
  };
}

function readDocument(
  document: LocatedDocument,
  providers: readonly SpecProvider[],
  findings: Finding[],
): ReadDocument | undefined {
  const kind = valueAt(document.value, ['kind']);
  const apiVersion = valueAt(document.value, ['apiVersion']);
  const known = [...Object.keys(commonKinds), ...providers.flatMap(kindsOf)];
  const refused = refusal(document, { kind, apiVersion }, known);
  if (refused !== undefined) {
    findings.push(refused);
    return undefined;
  }
  const { value, findings: found } = check(String(kind), document, providers);
  findings.push(...found);
  if (value === undefined) return undefined;
  const rules: Finding[] = [];
  const at = finder(rules, subjectOf(value), 'spec');
  const object = withoutServerFields(value, at);
  inertRules(object, at);
  findings.push(...rules.map((finding) => ({ ...finding, position: document.positionOf(finding.path ?? []) })));
  return { object, located: document };
}

function check(kind: string, document: LocatedDocument, providers: readonly SpecProvider[]): CheckedDocument {
  const provider = providers.find((one) => kindsOf(one).includes(kind));
  if (provider !== undefined) return provider.checkDocument(kind, document);
  return checkShape(document, commonKinds[kind]!);
}

export function kindsOf({ kinds }: SpecProvider): string[] {
  return [kinds.datacenter, kinds.machine, ...kinds.others];
}

/** Why a document is not one of a specification that this Sealift can read. */
function refusal(
  document: LocatedDocument,
  { kind, apiVersion }: { kind: unknown; apiVersion: unknown },
  known: readonly string[],
): Finding | undefined {
  function refuse(
    id: string,
    path: string[],
    message: string,
    remedy: string,
    status: Finding['status'] = 'problem',
  ): Finding {
    const subject = documentName(document.value);
    return { id: `spec.${id}`, status, subject, message, remedy, position: document.positionOf(path) };
  }
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    const field = typeof kind !== 'string' ? 'kind' : 'apiVersion';
    const message = `a document that says no ${field} is no Kubernetes object`;
    return refuse('missing-field', [field], message, `add apiVersion: ${specApiVersion} and its kind`);
  }
  const [group, version] = apiVersion.split('/');
  const isKnown = known.includes(kind);
  if (group !== specGroup) {
    if (isKnown) {
      const message = `${kind} belongs to ${specApiVersion}, not to ${apiVersion}`;
      return refuse('api-version', ['apiVersion'], message, `write apiVersion: ${specApiVersion}`);
    }
    const message = `${apiVersion} ${kind} is no part of a specification; nothing is done with it`;
    return refuse('other-document', ['kind'], message, 'apply it to the cluster yourself', 'warning');
  }
  if (version !== specVersion) {
    const message = `this Sealift understands ${specVersion} of ${specGroup}, and the document is written for ${version ?? 'none'}`;
    const remedy = `use a newer Sealift, one that understands ${version ?? 'it'}, or write the document for ${specVersion}`;
    return refuse('api-version', ['apiVersion'], message, remedy);
  }
  if (isKnown) return undefined;
  const near = nearestWord(kind, known);
  const remedy = near === undefined ? `what Sealift knows: ${known.join(', ')}` : `did you mean ${near}?`;
  return refuse('unknown-kind', ['kind'], `Sealift does not know the kind ${kind}`, remedy);
}
