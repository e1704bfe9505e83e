import { stringify } from 'yaml';
import type { ClusterSpec, EksaClusterSpec, KubernetesObject, SpecObject } from '../../contracts/cluster-spec.ts';
import type { ObjectKey } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import { describeObject } from '../kubernetes/cluster-access.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { specApiVersion } from './spec/common-schema.ts';
import { isProblem } from './spec/findings.ts';
import type { SpecProvider } from './spec/read-documents.ts';
import { readClusterSpec } from './spec/read-spec.ts';
import { noneIfUnknown, undefinedIfUnknown } from '../kubernetes/unknown-kind.ts';

const clusterKind = { apiVersion: specApiVersion, kind: 'Cluster' };

/** The Cluster documents that are kept on a management cluster, of all namespaces; none where no Sealift has been. */
export async function keptClusters(on: Cluster): Promise<SpecObject<EksaClusterSpec>[]> {
  return (await on.list(clusterKind).catch(noneIfUnknown)) as SpecObject<EksaClusterSpec>[];
}

/**
 * The specification of a cluster as its management cluster keeps it: what `installComponents` has written there.
 * @returns undefined when it keeps none
 * @throws SealiftError ObjectInvalid when what is kept is no specification any more; those of Cluster.list
 */
export async function readKeptSpec(
  name: string,
  on: Cluster,
  providers: readonly SpecProvider[],
): Promise<ClusterSpec | undefined> {
  const kept = (await keptClusters(on)).find(({ metadata }) => metadata.name === name);
  if (kept === undefined) return undefined;
  const documents = await keptDocuments(kept, on);
  const text = documents.map((document) => stringify(withoutServerSide(document), { lineWidth: 0 })).join('---\n');
  const { spec, findings } = readClusterSpec(describeObject(kept), Buffer.from(text), providers);
  if (spec !== undefined) return spec;
  const said = findings.filter(isProblem).map(({ subject, message }) => `${subject}: ${message}`);
  throw new SealiftError('ObjectInvalid', {
    side: 'cluster',
    operation: 'read kept specification',
    subject: `${describeObject(kept)} at ${on.server}`,
    message: said.join('; '),
    remedy: 'give the specification with -f',
  });
}

/**
 * A kept Cluster, what it refers to, and what that refers to; what is not there is left out.
 * @throws SealiftError those of Cluster.get
 */
export async function keptDocuments(kept: SpecObject<EksaClusterSpec>, on: Cluster): Promise<KubernetesObject[]> {
  const cluster = withoutOldFields(await withFluxConfig(kept, on));
  const found = new Map<string, KubernetesObject>();
  const open = referencesIn(cluster.spec);
  for (let reference = open.shift(); reference !== undefined; reference = open.shift()) {
    const { kind, name } = reference;
    const { namespace } = kept.metadata;
    const key: ObjectKey = {
      apiVersion: specApiVersion,
      kind,
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    };
    if (found.has(describeObject(key))) continue;
    const object = await on.get(key).catch(undefinedIfUnknown);
    if (object === undefined) continue;
    found.set(describeObject(key), { ...object, apiVersion: specApiVersion, kind });
    open.push(...referencesIn(object['spec']));
  }
  return [cluster, ...found.values()];
}

/** A GitOpsConfig is kept as the FluxConfig that says the same; only in layout 0 as it is. */
async function withFluxConfig(cluster: SpecObject<EksaClusterSpec>, on: Cluster): Promise<SpecObject<EksaClusterSpec>> {
  const { gitOpsRef } = cluster.spec;
  if (gitOpsRef?.kind !== 'GitOpsConfig') return cluster;
  const flux = { ...gitOpsRef, kind: 'FluxConfig' };
  const { namespace } = cluster.metadata;
  const metadata = { name: flux.name, ...(namespace === undefined ? {} : { namespace }) };
  const found = await on.get({ apiVersion: specApiVersion, kind: flux.kind, metadata }).catch(undefinedIfUnknown);
  return found === undefined ? cluster : { ...cluster, spec: { ...cluster.spec, gitOpsRef: flux } };
}

/** Fields of layout 0 that say nothing about the cluster: EKS Anywhere has none of them any more. */
function withoutOldFields(cluster: SpecObject<EksaClusterSpec>): SpecObject<EksaClusterSpec> {
  const { overrideClusterSpecFile: _, ...spec } = cluster.spec as EksaClusterSpec & Record<string, unknown>;
  return { ...cluster, spec };
}

/** Every `{kind, name}` in a document: which kinds there are is the providers' to know. */
function referencesIn(value: unknown): { kind: string; name: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const { kind, name } = value as { kind?: unknown; name?: unknown };
  const own = typeof kind === 'string' && typeof name === 'string' ? [{ kind, name }] : [];
  return [...own, ...Object.values(value).flatMap(referencesIn)];
}

function withoutServerSide({ apiVersion, kind, metadata, spec }: KubernetesObject): object {
  const { name, namespace } = metadata;
  return { apiVersion, kind, metadata: { name, namespace }, spec: spec ?? {} };
}
