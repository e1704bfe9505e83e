import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { KubernetesObject, RegistryMirrorConfiguration } from '../../contracts/cluster-spec.ts';
import type { ObjectKey, ProviderContext } from '../../contracts/provider-plugin.ts';
import { canonicalJson } from '../canonical-json.ts';
import { SealiftError } from '../errors.ts';
import { writeFileAtomically } from '../host/atomic-file.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { parseYamlDocuments } from '../sources/yaml-documents.ts';
import { mirroredReference } from './render/mirror.ts';

/** On a chart's mark: what all of the chart was made from. */
export const CHART_DIGEST_ANNOTATION = 'sealift.dev/chart-digest';
/** There too: the objects that were made, so that a later version takes away what it has no more. */
const CHART_OBJECTS_ANNOTATION = 'sealift.dev/chart-objects';
/** There too: for people, and for plans of upgrades. */
const CHART_VERSION_ANNOTATION = 'sealift.dev/chart-version';
const HELM_TIMEOUT_MS = 120_000;
/** What is in them, or made of them, is not the chart's. */
const neverWithdrawn = ['Namespace', 'CustomResourceDefinition', 'PersistentVolumeClaim'];

/** A chart, and what it is made with. */
export interface Chart {
  /** Helm's name of the release, e.g. `cilium` */
  name: string;
  namespace: string;
  /** the archive, as Helm makes it */
  archive: Uint8Array;
  /** as the release has it, e.g. `1.19.4-1` */
  version: string;
  values: Record<string, unknown>;
  /** the object among those of the chart that is applied last, and says that all of them are there */
  mark: ObjectKey;
}

export interface ChartInstallation {
  /** where images are pulled from */
  mirror: RegistryMirrorConfiguration | undefined;
  /** of the cluster, e.g. `v1.34.6` */
  kubernetesVersion: string;
  context: ProviderContext;
  /** objects that go along with those of the chart */
  beside?: readonly KubernetesObject[];
  /** values that tell the chart what is there before: they alone are no reason to install it again */
  valuesFor?(there: KubernetesObject | undefined): Record<string, unknown>;
}

/** Whether a chart is on a cluster as it would be installed now. @throws SealiftError those of Cluster.get */
export async function isInstalled(chart: Chart, installation: ChartInstallation, on: Cluster): Promise<boolean> {
  return hasDigest(await on.get(chart.mark), digestOf(chart, installation));
}

/** The version of a chart that is on a cluster; undefined when Sealift did not install it. @throws SealiftError as isInstalled */
export async function installedVersion({ mark }: Chart, on: Cluster): Promise<string | undefined> {
  return (await on.get(mark))?.metadata.annotations?.[CHART_VERSION_ANNOTATION];
}

/**
 * Installs a chart, its images from the registry mirror, as `helm template` makes it: Helm itself keeps nothing on the cluster.
 * May be repeated: what was installed from the same archive and values is left as it is. What an earlier version had and this
 * one has not is taken away.
 * @throws SealiftError ToolMissing, ToolFailed (helm), InvalidInput when the chart makes no YAML, or not its mark; those of
 * Cluster.applyAll
 */
export async function installChart(
  chart: Chart,
  installation: ChartInstallation,
  on: Cluster,
  signal: AbortSignal,
): Promise<void> {
  const { mirror, context, beside = [], valuesFor } = installation;
  const digest = digestOf(chart, installation);
  const there = await on.get(chart.mark);
  if (hasDigest(there, digest)) return;
  context.alive(`installing ${chart.name}`);
  const values = { ...chart.values, ...valuesFor?.(there) };
  const rendered = await template({ ...chart, values }, installation);
  const objects = [...rendered, ...beside].map((object) => withMirror(object, mirror));
  const mark = objects.find((object) => keyOf(object) === keyOf(chart.mark));
  if (mark === undefined) throw unmarked(chart);
  await on.applyAll(
    objects.filter((object) => object !== mark),
    { signal },
  );
  await withdraw(there, objects, on);
  const annotations = {
    ...mark.metadata.annotations,
    [CHART_DIGEST_ANNOTATION]: digest,
    [CHART_VERSION_ANNOTATION]: chart.version,
    [CHART_OBJECTS_ANNOTATION]: JSON.stringify(objects.map(keyOf)),
  };
  await on.applyAll([{ ...mark, metadata: { ...mark.metadata, annotations } }], { signal });
}

function hasDigest(mark: KubernetesObject | undefined, digest: string): boolean {
  return mark?.metadata.annotations?.[CHART_DIGEST_ANNOTATION] === digest;
}

function digestOf(
  { archive, name, namespace, values, version }: Chart,
  { mirror, kubernetesVersion, beside = [] }: ChartInstallation,
): string {
  const archiveDigest = createHash('sha256').update(archive).digest('hex');
  const made = { archive: archiveDigest, name, namespace, version, values, mirror, kubernetesVersion, beside };
  return createHash('sha256').update(canonicalJson(made)).digest('hex');
}

async function template(
  { name, namespace, archive, values }: Chart,
  { kubernetesVersion, context }: ChartInstallation,
): Promise<KubernetesObject[]> {
  const [file, settings] = [join(context.scratch, `${name}.tgz`), join(context.scratch, `${name}-values.yaml`)];
  await writeFileAtomically(file, archive);
  await writeFileAtomically(settings, stringify(values));
  const output = await context.run(
    'helm',
    [
      ...['template', name, file, '--namespace', namespace, '--values', settings, '--include-crds'],
      ...['--kube-version', kubernetesVersion],
    ],
    { timeoutMs: HELM_TIMEOUT_MS },
  );
  return parseYamlDocuments(`the chart ${name}`, new TextEncoder().encode(output))
    .map(({ value }) => value as KubernetesObject)
    .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
}

/** @param there the mark of what was installed before */
async function withdraw(
  there: KubernetesObject | undefined,
  objects: readonly KubernetesObject[],
  on: Cluster,
): Promise<void> {
  const noted = JSON.parse(there?.metadata.annotations?.[CHART_OBJECTS_ANNOTATION] ?? '[]') as string[];
  const now = new Set(objects.map(keyOf));
  for (const key of noted.filter((one) => !now.has(one))) {
    const [apiVersion, kind, name, namespace] = key.split(' ') as [string, string, string, string?];
    if (neverWithdrawn.includes(kind)) continue;
    await on.delete({ apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } });
  }
}

function keyOf({ apiVersion, kind, metadata }: ObjectKey): string {
  const { name, namespace } = metadata;
  return [apiVersion, kind, name, ...(namespace === undefined ? [] : [namespace])].join(' ');
}

function withMirror<T>(value: T, mirror: ChartInstallation['mirror']): T {
  if (Array.isArray(value)) return value.map((entry: unknown) => withMirror(entry, mirror)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([field, inner]: [string, unknown]) => [
    field,
    field === 'image' && typeof inner === 'string' ? mirroredReference(inner, mirror) : withMirror(inner, mirror),
  ]);
  return Object.fromEntries(entries) as T;
}

function unmarked({ name, mark }: Chart): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'install chart',
    subject: name,
    message: `the chart makes no ${mark.kind} ${mark.metadata.name}, by which Sealift knows what is installed`,
    remedy: 'use a release that this Sealift knows',
  });
}
