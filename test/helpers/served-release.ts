import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startFileServer, type FileServer } from './file-server.ts';
import { samplesFolder, temporaryFolder } from './paths.ts';
import { startRegistry, type TestRegistry } from './registry.ts';
import { smallBundles } from './small-bundles.ts';
import { fillFromBundles, type FilledUpstream, type UpstreamTarget } from './upstream.ts';

/** An EKS Anywhere release with everything it refers to, served on this machine. */
export interface ServedRelease extends AsyncDisposable {
  filled: FilledUpstream;
  /** path of the Bundles manifest with true digests */
  manifest: string;
  registry: TestRegistry;
  files: FileServer;
  /** `--pull-from` for every host that the release names */
  pullFrom: string[];
}

/**
 * Fills a registry and a file server from a Bundles manifest, and says how Sealift reaches them.
 * @param contents what some of its URLs hold; other files are made up
 * @param more templates of some of its charts, and what some of its images are
 */
export async function serveRelease(
  bundlesYaml: string,
  contents: ReadonlyMap<string, Uint8Array> = new Map(),
  more: Pick<UpstreamTarget, 'charts' | 'imageOf'> = {},
): Promise<ServedRelease> {
  const folder = await temporaryFolder('release');
  const registry = await startRegistry({ kind: 'distribution' });
  const filesFolder = join(folder.path, 'files');
  const files = await startFileServer(filesFolder);
  const stop = async (): Promise<void> => {
    await Promise.all([registry.stop(), files.stop()]);
    await folder.remove();
  };
  try {
    const filled = await fillFromBundles(bundlesYaml, { registry: registry.url, filesFolder, contents, ...more });
    const manifest = join(folder.path, 'bundles.yaml');
    await writeFile(manifest, filled.bundlesYaml);
    const pullFrom = pullFromOptions(filled, registry.url, files.url);
    return { filled, manifest, registry, files, pullFrom, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function pullFromOptions({ images, charts, files }: FilledUpstream, registryUrl: string, filesUrl: string): string[] {
  const registryHosts = new Set([...images.keys(), ...charts.keys()].map((uri) => uri.split('/')[0] ?? ''));
  const fileHosts = new Set([...files.keys()].map((url) => new URL(url).host));
  return [
    ...[...registryHosts].map((host) => `${host}=${registryUrl}`),
    ...[...fileHosts].map((host) => `https://${host}=${filesUrl}/${host}`),
  ].flatMap((entry) => ['--pull-from', entry]);
}

/** The real Bundles manifest of the shared samples; a small one of our own, with a word about it, where they are absent. */
export async function bundlesManifest(): Promise<{ text: string; real: boolean }> {
  const sample = join(samplesFolder, 'eks-anywhere', 'bundles.yaml');
  if (existsSync(sample)) return { text: await readFile(sample, 'utf8'), real: true };
  console.warn(`${sample} is not on this machine: the small Bundles manifest of test/helpers stands in for it`);
  return { text: smallBundles, real: false };
}
