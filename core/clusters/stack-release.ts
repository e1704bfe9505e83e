import { z } from 'zod';
import type { ProviderChart, ProviderStack } from '../../contracts/provider-plugin.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import { chartArchives } from '../trees/bundle-files.ts';

const part = z.looseObject({ uri: z.string() });

/**
 * `tinkerbell.tinkerbellStack` of a `versionsBundles` entry, as far as installing it goes. Read only where it is installed: those
 * of older releases are otherwise, and no reason to refuse them for other infrastructures.
 */
const stackShape = z.looseObject({
  stack: part,
  tinkerbellCrds: part.optional(),
  boots: part,
  hook: z.looseObject({
    initramfs: z.looseObject({ amd: part }),
    iso: z.looseObject({ amd: part }).optional(),
  }),
  tink: z.looseObject({
    tinkRelayInit: part,
    // programs of their own before Tinkerbell became one; another chart, with other values
    tinkController: z.undefined().optional(),
  }),
});

export interface StackChart {
  /** as Helm makes it */
  archive: Uint8Array;
  /** the tag of its reference */
  version: string;
}

/** What a release has of the services that a provider needs on management clusters; those of workload clusters need none. */
export interface StackRelease {
  /** definitions are in the chart of the services where the release has none of their own */
  charts: Partial<Record<ProviderChart['chart'], StackChart>>;
  parts: ProviderStack;
}

/**
 * Tinkerbell as a release has it.
 * @param block of the provider, as the manifest has it
 * @param lacking makes the error for what the bundle has not
 * @throws SealiftError as `lacking` makes it; BundleCorrupt
 */
export async function readStack(
  bundle: ReadableBundle,
  block: { kubeVip: { uri: string }; tinkerbellStack?: unknown },
  lacking: (what: string) => Error,
): Promise<StackRelease> {
  const { data: stack } = stackShape.safeParse(block.tinkerbellStack);
  if (stack === undefined) {
    throw lacking(
      'Tinkerbell as one program with its chart (tinkerbellStack), which a management cluster on bare metal runs',
    );
  }
  const archives = await chartArchives(bundle);
  const chartAt = async (uri: string): Promise<StackChart> => {
    const archive = archives.find(({ item }) => item.reference === uri);
    if (archive === undefined) throw lacking(`the chart ${uri}`);
    return { archive: await bundle.read(archive.blob.digest), version: uri.slice(uri.lastIndexOf(':') + 1) };
  };
  const { uri: definitions = '' } = stack.tinkerbellCrds ?? {};
  return {
    charts: {
      services: await chartAt(stack.stack.uri),
      // manifests have empty references for what a release does not have
      ...(definitions === '' ? {} : { definitions: await chartAt(definitions) }),
    },
    parts: {
      images: {
        services: stack.boots.uri,
        interface: stack.tink.tinkRelayInit.uri,
        loadBalancer: block.kubeVip.uri,
      },
      installer: {
        files: stack.hook.initramfs.amd.uri.replace(/\/[^/]*$/, ''),
        iso: stack.hook.iso?.amd.uri ?? '',
      },
    },
  };
}
