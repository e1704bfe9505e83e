import { readFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { SkippedItem } from '../../contracts/bill-of-materials.ts';
import type { ImportArtifactsInput, ImportArtifactsResult } from '../../contracts/operations.ts';
import type { Bundle } from '../bundle/reader.ts';
import { namespaceOf } from '../oci/rewrite.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';
import { loadImportPlan } from './check.ts';
import { OUTCOMES, type PublishOutcome } from './publish.ts';
import { TRAFFIC, type PushTraffic } from './push.ts';
import type { ImportPlan } from './plan-types.ts';
import { rulesOf } from './targets.ts';
import type { WrittenTrees } from './write-trees.ts';

/** Of an import that goes into no registry. */
const NO_PLAN: ImportPlan = {
  ...{ uploads: [], uploadBatches: [], homes: {}, targets: [], publishBatches: [] },
  ...{ unchanged: 0, leftOut: [], reusedBytes: 0 },
};

/** Adds up what the import did, from what its steps noted. @param written what came of the file trees, when some were asked for */
export async function summarizeImport(
  input: ImportArtifactsInput,
  bundle: Bundle,
  folder: WorkFolder,
  written?: WrittenTrees,
): Promise<ImportArtifactsResult> {
  const plan = input.host === '' ? NO_PLAN : await loadImportPlan(folder);
  const traffic = await folder.readLines<PushTraffic>(TRAFFIC);
  const outcomes = new Map(
    (await folder.readLines<PublishOutcome>(OUTCOMES)).map(({ reference, outcome }) => [reference, outcome]),
  );
  const left = plan.targets.filter(({ reference }) => outcomes.get(reference) !== 'published');
  const { items } = bundle.billOfMaterials;
  const count = (...kinds: string[]): number => items.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    kind: 'import',
    registry: input.namespace === '' ? input.host : `${input.host}/${input.namespace}`,
    bundle: bundle.identity,
    images: count('image'),
    charts: count('chart'),
    files: count('manifest', 'file', 'document'),
    blobs: plan.uploads.length,
    bytesPushed: traffic.reduce((sum, { moved }) => sum + moved, 0),
    bytesReused:
      plan.reusedBytes +
      traffic.reduce(
        (sum, { reused, repository, digest }) => sum + (plan.homes[digest] === repository ? reused : 0),
        0,
      ),
    tagsWritten: plan.targets.length - left.length,
    tagsUnchanged: plan.unchanged,
    skipped: [...plan.leftOut, ...left.map(({ reference }) => reference)].map((reference): SkippedItem => ({
      reference,
      reason: 'skipped by the operator',
    })),
    warnings: written?.warnings ?? [],
    registryMirrorConfiguration: input.host === '' ? '' : await mirrorConfiguration(input, bundle),
    ...(written === undefined ? {} : { trees: written.trees }),
  };
}

/** The part of an EKS Anywhere cluster spec that makes its nodes pull from the registry (registryMirrorConfiguration, v1alpha1). */
async function mirrorConfiguration(input: ImportArtifactsInput, bundle: Bundle): Promise<string> {
  const { host, registry } = input;
  const port = /:(\d+)$/.exec(host)?.[1];
  const images = bundle.billOfMaterials.items.filter(({ kind }) => kind === 'image' || kind === 'chart');
  const origins = [...new Set(images.map(({ origin }) => origin))].sort();
  const ca = registry.caFile === undefined ? undefined : await readFile(registry.caFile, 'utf8').catch(() => undefined);
  return stringify({
    registryMirrorConfiguration: {
      endpoint: port === undefined ? host : host.slice(0, -port.length - 1),
      port: port ?? '443',
      ociNamespaces: origins.map((origin) => ({ registry: origin, namespace: namespaceOf(origin, rulesOf(input)) })),
      ...(ca === undefined ? {} : { caCertContent: ca }),
      ...(registry.insecureSkipTlsVerify ? { insecureSkipVerify: true } : {}),
    },
  });
}
