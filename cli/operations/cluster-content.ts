import type { ContentSource } from '../../contracts/clusters.ts';
import type { SealiftHost } from '../../contracts/host.ts';
import { contentChoice, type ClusterOptions } from '../options/cluster-options.ts';
import { bundlePath } from '../options/source-options.ts';

/**
 * What an operation makes clusters of. A bundle is looked into; a registry is asked by the operation, which has its credentials.
 * @throws CliError InvalidInput; SealiftError of BundleTools.inspect
 */
export async function clusterContent(
  machine: SealiftHost,
  options: Pick<ClusterOptions, 'bundle' | 'registry'>,
  asked: { required: boolean; cwd: string },
): Promise<ContentSource> {
  const { bundle, registry } = contentChoice(options, asked);
  if (registry !== undefined) return { registry };
  if (bundle === undefined) return {};
  const path = bundlePath(bundle, asked.cwd);
  return { bundle: { path, digest: (await machine.bundles.inspect(path)).digest } };
}

/** The same for people; empty when there is none. */
export function contentText({ bundle, registry }: ContentSource): string {
  if (bundle !== undefined) return `Bundle: \`${bundle.digest}\``;
  if (registry === undefined) return '';
  const { host, namespace } = registry;
  return `Registry: \`${namespace === '' ? host : `${host}/${namespace}`}\``;
}
