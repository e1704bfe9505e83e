import { z } from 'zod';
import type { ClusterSpec, KubernetesObject, SpecObject } from '../../contracts/cluster-spec.ts';
import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { layoutMarks } from './layout.ts';
import { clusterDocument } from './spec/cluster-schema.ts';
import { specGroup, specVersion } from './spec/common-schema.ts';
import { immutableFields } from './spec/compare-specs.ts';

/** Beside Cluster, what every provider's clusters may refer to. */
const commonKinds = ['FluxConfig', 'OIDCConfig', 'AWSIamConfig'];

type JsonSchema = Record<string, unknown>;

/**
 * The CustomResourceDefinitions that keep specifications on a management cluster. What may not change is said by rules in
 * them (CEL transition rules), so that no webhook has to run for it.
 * @param version of Sealift
 */
export function specDefinitions(providers: readonly ProviderPlugin[], version: string): KubernetesObject[] {
  const kinds = [
    ...commonKinds,
    ...providers.flatMap(({ kinds: { datacenter, machine, others } }) => [datacenter, machine, ...others]),
  ];
  const anything: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return [
    definition('Cluster', clusterSchema(), version),
    ...kinds.map((kind) => definition(kind, { type: 'object', properties: { spec: anything } }, version)),
  ];
}

/** The objects of a specification as they are kept on the management cluster. */
export function specObjects(spec: ClusterSpec): KubernetesObject[] {
  const { datacenter, machines, gitOps, others } = spec;
  const all: SpecObject[] = [datacenter, ...Object.values(machines), ...others];
  return [...all, ...(gitOps === undefined ? [] : [gitOps]), withRole(spec)].map((object) => ({
    ...object,
    metadata: { ...object.metadata, namespace: spec.namespace },
  }));
}

/** A document that left it to --kubeconfig says it from now on: who reads it back has no such option. */
function withRole({ cluster, role }: ClusterSpec): ClusterSpec['cluster'] {
  const { management, managementCluster } = cluster.spec;
  if (role === 'management' || management !== undefined || managementCluster !== undefined) return cluster;
  return { ...cluster, spec: { ...cluster.spec, management: false } };
}

function definition(kind: string, openAPIV3Schema: JsonSchema, version: string): KubernetesObject {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${specGroup}`, annotations: layoutMarks(version) },
    spec: {
      group: specGroup,
      scope: 'Namespaced',
      names: { kind, singular, plural, listKind: `${kind}List` },
      versions: [{ name: specVersion, served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}

function clusterSchema(): JsonSchema {
  const { properties } = z.toJSONSchema(clusterDocument) as unknown as { properties: { spec: JsonSchema } };
  return {
    type: 'object',
    required: ['spec'],
    properties: { metadata: { type: 'object' }, spec: structural(properties.spec) },
    'x-kubernetes-validations': immutableFields.map(({ path, celRule, reason }) => ({
      rule: celRule,
      message: `${path.join('.')} may not change: ${reason}`,
    })),
  };
}

/**
 * A JSON schema in the form that definitions demand (kubernetes.io, "Specifying a structural schema"): a type everywhere, and
 * no `additionalProperties` beside `properties`. Lists and texts get bounds, since the cost of rules is reckoned from them.
 */
function structural(schema: JsonSchema): JsonSchema {
  const { type, properties, items, additionalProperties, anyOf, required, enum: values, description } = schema;
  const kept = {
    ...(values === undefined ? {} : { enum: values }),
    ...(description === undefined ? {} : { description }),
  };
  if (anyOf !== undefined) return { 'x-kubernetes-int-or-string': true };
  if (properties !== undefined) {
    const inner = Object.entries(properties as Record<string, JsonSchema>).map(([key, one]) => [key, structural(one)]);
    return { type, properties: Object.fromEntries(inner), ...(required === undefined ? {} : { required }), ...kept };
  }
  if (type === 'array') return { type, items: structural(items as JsonSchema), maxItems: 256 };
  if (type === 'object') {
    const value = additionalProperties as JsonSchema | undefined;
    if (value?.['type'] === undefined) return { type, 'x-kubernetes-preserve-unknown-fields': true };
    return { type, additionalProperties: structural(value), maxProperties: 256 };
  }
  if (type === 'string') return { type, maxLength: 65_536, ...kept };
  return { type, ...kept };
}
