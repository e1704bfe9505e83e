import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import { REMOVED, type SecretValues } from './secret-values.ts';
import { isSecretName } from './text-secrets.ts';

/** Annotations that repeat a whole object, secrets included: kubectl's, and what Cluster API keeps for conversion. */
const COPIES = [/last-applied-configuration$/, /conversion-data$/];
/** Of the object that a field with a secret's name holds: where the secret is, not what it is. */
const REFERENCE_FIELDS = new Set([
  ...['name', 'namespace', 'key', 'kind', 'apiVersion', 'apiGroup', 'optional', 'type'],
  ...['apiServerEndpoint', 'caCertHashes'],
]);
const URL_WITH_USER = /:\/\/[^\s/]*@/;

/** What a service account's token is for is no secret, and a word that is everywhere. */
const SERVICE_ACCOUNT_TOKEN = 'kubernetes.io/service-account-token';
const PUBLIC_IN_TOKEN = new Set(['namespace', 'ca.crt']);
/** Of a Secret; annotations may repeat it. */
const KEPT_METADATA = new Set([
  ...['name', 'namespace', 'labels', 'uid', 'ownerReferences', 'finalizers'],
  ...['creationTimestamp', 'deletionTimestamp'],
]);
/** Names under which an object with a secret's name has the secret itself. */
const VALUE_FIELDS = new Set(['value', 'data', 'content', 'plaintext']);

/**
 * Fields that hold whatever somebody wrote: cloud-init and Ignition of machines, files of nodes, actions of bare metal. They
 * are taken out whole. In: KubeadmConfig and its kind (CAPBK, etcdadm, Bottlerocket), Tinkerbell's Template and Hardware,
 * EKS Anywhere's TinkerbellTemplateConfig, Metal3 and vSphere's machines.
 */
const FREE_FIELDS = new Set([
  ...['userData', 'vendorData', 'metaData', 'bootstrapData', 'additionalConfig', 'ignition', 'cloudInit'],
  ...['templateOverride', 'environment', 'cloudConfig', 'kubeconfig', 'caBundle', 'binaryData'],
]);

/** The same by the object's kind, as `<group>/<kind>`: names that elsewhere mean nothing secret. */
const freeFieldsOf: Record<string, readonly string[]> = {
  'tinkerbell.org/Template': ['data'],
  'tinkerbell.org/Workflow': ['hardwareMap'],
};

/**
 * An object without what is secret by its place. Of Secrets and ConfigMaps remain what they are called, type, labels and the
 * names of their keys. What is taken out is added to `secrets`, so that it can be taken out of everything else too.
 */
export function stripObject(object: KubernetesObject, secrets: SecretValues): KubernetesObject {
  const { apiVersion, kind } = object;
  if (kind === 'Secret' && apiVersion === 'v1') return stripSecret(object, secrets);
  if (kind === 'ConfigMap' && apiVersion === 'v1') return keysOnly(object);
  const { managedFields: _, ...metadata } = object.metadata as KubernetesObject['metadata'] & Record<string, unknown>;
  const free = freeFieldsOf[`${apiVersion.split('/')[0]}/${kind}`] ?? [];
  const stripped = strip({ ...object, metadata }, { secrets, hidden: false, free, within: '' });
  return stripped as KubernetesObject;
}

function stripSecret(object: KubernetesObject, secrets: SecretValues): KubernetesObject {
  for (const [key, encoded] of Object.entries((object['data'] ?? {}) as Record<string, string>)) {
    if (object['type'] === SERVICE_ACCOUNT_TOKEN && PUBLIC_IN_TOKEN.has(key)) continue;
    secrets.add(encoded);
    secrets.add(Buffer.from(encoded, 'base64').toString('utf8'));
  }
  for (const value of Object.values((object['stringData'] ?? {}) as Record<string, string>)) secrets.add(value);
  return keysOnly(object);
}

function keysOnly(object: KubernetesObject): KubernetesObject {
  const { apiVersion, kind } = object;
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([name]) => KEPT_METADATA.has(name)));
  const keys = [object['data'], object['stringData'], object['binaryData']].flatMap((held) => Object.keys(held ?? {}));
  return {
    ...{ apiVersion, kind },
    metadata: metadata as unknown as KubernetesObject['metadata'],
    ...(object['type'] === undefined ? {} : { type: object['type'] }),
    keys: keys.sort(),
  };
}

interface Stripping {
  secrets: SecretValues;
  /** what is below a field that is a secret by its name */
  hidden: boolean;
  free: readonly string[];
  /** name of the field around it */
  within: string;
}

function strip(value: unknown, at: Stripping): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => strip(item, at));
  if (typeof value === 'object' && value !== null) return stripFields(value as Record<string, unknown>, at);
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  if (!at.hidden) {
    if (URL_WITH_USER.test(String(value))) at.secrets.learn(String(value));
    return value;
  }
  // what is hidden because of where it is may be a word that is everywhere
  if (isSecretName(at.within) || VALUE_FIELDS.has(at.within)) at.secrets.add(String(value), 4);
  return REMOVED;
}

function stripFields(fields: Record<string, unknown>, at: Stripping): Record<string, unknown> {
  const stripped = Object.entries(fields).map(([name, value]) => {
    if (at.within === 'annotations' && isCopy(name, value)) return [name, takenOut(value, at.secrets)];
    if (isFree(name, value, at)) return [name, takenOut(value, at.secrets)];
    // `{ name: GOVC_PASSWORD, value: x }`: a variable
    const named = name === 'value' && typeof fields['name'] === 'string' && isSecretName(fields['name']);
    const isReference = at.hidden && REFERENCE_FIELDS.has(name);
    const hidden = !isReference && (at.hidden || named || isSecretName(name));
    return [name, strip(value, { ...at, hidden, within: name })];
  });
  return Object.fromEntries(stripped) as Record<string, unknown>;
}

/** An annotation that is itself an object may be a copy of any. */
function isCopy(name: string, value: unknown): boolean {
  return COPIES.some((copy) => copy.test(name)) || (typeof value === 'string' && /^\s*[{[]/.test(value));
}

function isFree(name: string, value: unknown, { within, free }: Stripping): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return false;
  // what a file of a node holds; where it comes from a Secret that is said, and stays
  if (name === 'content' && within === 'files') return true;
  return FREE_FIELDS.has(name) || free.includes(name);
}

function takenOut(value: unknown, secrets: SecretValues): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  secrets.learn(text);
  return `${REMOVED} (${text.length} characters)`;
}
