import { rm } from 'node:fs/promises';
import type { Digest } from '../../contracts/descriptor.ts';
import type { ExportArtifactsInput, ExportArtifactsResult } from '../../contracts/operations.ts';
import { openBundle } from '../bundle/reader.ts';
import type { FetchTools, Traffic } from './fetch.ts';
import { TRAFFIC } from './fetch.ts';
import { loadPlan } from './plan-store.ts';

/**
 * Makes the finished bundle visible under its name and says what is in it. Fine to call again after a crash: what is
 * sealed already is recognised by its identity.
 * @throws SealiftError OutputExists, DiskFull, PathUnwritable
 */
export async function sealExport(
  input: ExportArtifactsInput,
  planDigest: Digest,
  { folder, bundles }: Pick<FetchTools, 'folder' | 'bundles'>,
): Promise<ExportArtifactsResult> {
  if (await isSealed(input.output, planDigest)) {
    await bundles.close(input.output);
    await folder.remove();
    return describe(input.output, [], []);
  }
  const { plan } = await loadPlan(folder, planDigest);
  const traffic = await folder.readLines<Traffic>(TRAFFIC);
  await bundles.use(input.output, folder, planDigest, (bundle) => bundle.seal({ force: input.force }));
  await bundles.close(input.output);
  return describe(input.output, traffic, plan.warnings);
}

/** Removes whatever an export that will not go on has left. */
export async function discardExport(
  input: ExportArtifactsInput,
  { folder, bundles }: Pick<FetchTools, 'folder' | 'bundles'>,
): Promise<void> {
  await bundles.close(input.output);
  await rm(`${input.output}.partial`, { force: true });
  await folder.remove();
}

async function isSealed(output: string, planDigest: Digest): Promise<boolean> {
  const bundle = await openBundle(output).catch(() => undefined);
  await bundle?.close();
  return bundle?.identity === planDigest;
}

async function describe(output: string, traffic: Traffic[], warnings: string[]): Promise<ExportArtifactsResult> {
  const bundle = await openBundle(output);
  try {
    const { items, skipped } = bundle.billOfMaterials;
    const count = (...kinds: string[]): number => items.filter(({ kind }) => kinds.includes(kind)).length;
    return {
      kind: 'export',
      output,
      digest: bundle.identity,
      size: bundle.size,
      images: count('image'),
      charts: count('chart'),
      files: count('manifest', 'file', 'document'),
      blobs: [...bundle.allBlobs()].length,
      bytesFetched: traffic.reduce((sum, { moved }) => sum + moved, 0),
      bytesReused: traffic.reduce((sum, { resumed }) => sum + resumed, 0),
      skipped,
      warnings,
    };
  } finally {
    await bundle.close();
  }
}
