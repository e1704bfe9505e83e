import { rename } from 'node:fs/promises';
import { planLayout } from '../bundle/layout.ts';
import { hexOf } from '../oci/digest.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';
import type { OpenBundles } from './open-bundles.ts';
import type { ExportPlan } from './plan-types.ts';

/**
 * After a change of plan (something was skipped, or a source changed between two runs) every offset is another one. What
 * the old partial bundle holds is put first among the places a blob can be had from, so that it is copied and not
 * fetched again. Call it before the new plan is written.
 */
export async function salvagePrevious(
  output: string,
  folder: WorkFolder,
  previous: ExportPlan,
  plan: ExportPlan,
  bundles: OpenBundles,
): Promise<void> {
  const remaining = await bundles.use(output, folder, previous.planDigest, (bundle) => bundle.remaining());
  await bundles.close(output);
  const path = folder.file(`previous-${hexOf(previous.planDigest).slice(0, 12)}.tar`);
  await rename(`${output}.partial`, path);
  const { metadata, blobs, planDigest } = previous;
  const layout = planLayout({ index: await folder.readBlob(planDigest), metadata, blobs });
  const missing = new Set(remaining.map(({ descriptor }) => descriptor.digest));
  const offsets = new Map(layout.entries.map(({ digest, dataOffset }) => [digest, dataOffset]));
  const known = new Map(blobs.map((blob) => [blob.digest, blob]));
  for (const blob of plan.blobs) {
    const earlier = known.get(blob.digest);
    if (earlier === undefined) continue;
    const spans = earlier.from.filter((from) => from.kind === 'span' && !blob.from.includes(from));
    blob.from.unshift(...spans);
    if (!missing.has(blob.digest)) blob.from.unshift({ kind: 'span', path, offset: offsets.get(blob.digest)! });
  }
}
