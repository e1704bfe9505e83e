import type { BillOfMaterials } from '../contracts/bill-of-materials.ts';
import type { Digest } from '../contracts/descriptor.ts';
import type { BundleContents, BundleTools, VerifyProgress, VerifyReport } from '../contracts/host.ts';
import { bundleContents } from '../core/bundle/contents.ts';
import { openBundle, type Bundle } from '../core/bundle/reader.ts';
import { verifyInRegistry } from '../core/import/verify-registry.ts';
import { verifyBundleBlobs } from '../core/import/verify-blobs.ts';
import { createRemotes } from '../core/oci/remotes.ts';
import { Limiter } from '../core/transfer/concurrency.ts';
import { problemsOf } from '../core/transfer/failures.ts';
import { MoverPool } from '../core/transfer/pool.ts';

export async function inspectBundle(
  path: string,
): Promise<{ digest: Digest; size: number; billOfMaterials: BillOfMaterials }> {
  const bundle = await openBundle(path);
  await bundle.close();
  return { digest: bundle.identity, size: bundle.size, billOfMaterials: bundle.billOfMaterials };
}

export async function readContents(path: string): Promise<BundleContents> {
  const bundle = await openBundle(path);
  try {
    return await bundleContents(bundle);
  } finally {
    await bundle.close();
  }
}

/** Hashes all of a bundle, and with a destination everything of it in the registry. */
export async function verifyBundle(
  path: string,
  options: Parameters<BundleTools['verify']>[1] & { configDir: string; env: NodeJS.ProcessEnv },
  progress: (progress: VerifyProgress) => void,
): Promise<VerifyReport> {
  const bundle = await openBundle(path);
  const pool = new MoverPool();
  try {
    const tools = { pool, limiter: new Limiter(options.concurrency) };
    const problems = await problemsOf(() => verifyBlobs(bundle, tools, progress));
    const blobs = [...bundle.allBlobs()];
    const report: VerifyReport = {
      digest: bundle.identity,
      size: bundle.size,
      blobs: blobs.length,
      bytes: blobs.reduce((sum, { size }) => sum + size, 0),
      problems,
    };
    const { destination, configDir, env } = options;
    if (destination === undefined) return report;
    const { host, namespace, map, registry } = destination;
    const remotes = createRemotes({ side: 'destination', registry, pullFrom: {}, configDir, env });
    try {
      const client = await remotes.registry(host);
      const found = await verifyInRegistry(
        bundle,
        { ...tools, client, remotes, host, rules: { namespace, map } },
        progress,
      );
      const { images, blobs, bytes } = found;
      const name = namespace === '' ? host : `${host}/${namespace}`;
      return { ...report, problems: [...problems, ...found.problems], registry: { name, images, blobs, bytes } };
    } finally {
      await remotes.close();
    }
  } finally {
    await Promise.all([bundle.close(), pool.close()]);
  }
}

function verifyBlobs(
  bundle: Bundle,
  tools: { pool: MoverPool; limiter: Limiter },
  progress: (progress: VerifyProgress) => void,
): Promise<void> {
  const hooks = {
    signal: new AbortController().signal,
    report: ({
      bytesDone,
      bytesTotal,
      itemsDone,
      itemsTotal,
    }: {
      bytesDone: number;
      bytesTotal: number;
      itemsDone: number;
      itemsTotal: number;
    }) => progress({ bytesDone, bytesTotal, blobsDone: itemsDone, blobsTotal: itemsTotal }),
  };
  return verifyBundleBlobs(bundle, [...bundle.allBlobs()], { ...tools, all: true }, hooks, () => undefined);
}
