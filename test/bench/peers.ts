import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool, requireTool } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import type { TestRegistry } from '../helpers/registry.ts';
import type { Corpus, ImageSet } from './corpus.ts';
import type { Contender } from './measure.ts';

/** Their parallelism is left as they ship it; each has the input it reads fastest. */
export interface Bench {
  corpus: Corpus;
  source: TestRegistry;
  destination: TestRegistry;
  /** scratch folder */
  folder: string;
}

/** crane: everything into one tarball. skopeo: one process an image into one `oci:` layout, as its manual shows. */
export async function exportPeers({ source, folder }: Bench, { images }: ImageSet): Promise<Contender[]> {
  const crane = await requireTool('crane');
  const references = images.map(({ repository, tag }) => `${source.host}/${repository}:${tag}`);
  const tarball = join(folder, 'crane.tar');
  const contenders: Contender[] = [
    {
      name: 'crane pull, one tarball',
      prepare: () => rm(tarball, { force: true }),
      run: async () => void (await runOk(crane, ['pull', ...references, tarball])),
    },
  ];
  const skopeo = await findTool('skopeo');
  if (skopeo === undefined) return contenders;
  const layout = join(folder, 'skopeo');
  contenders.push({
    name: 'skopeo copy, one oci: layout',
    prepare: () => rm(layout, { recursive: true, force: true }),
    run: async () => {
      await mkdir(layout, { recursive: true });
      for (const [number, reference] of references.entries()) {
        const target = `oci:${layout}:image-${number}`;
        await runOk(skopeo, ['--insecure-policy', 'copy', '--src-tls-verify=false', `docker://${reference}`, target]);
      }
    },
  });
  return contenders;
}

/** Each one process an image, from unpacked layouts (the unpacking is not counted), into the emptied registry. */
export async function importPeers({ corpus, destination }: Bench, set: ImageSet): Promise<Contender[]> {
  const [oras, regctl, crane] = await Promise.all(['oras', 'regctl', 'crane'].map(requireTool));
  const targets = set.images.map(({ repository, tag, image }, number) => ({
    digest: image.root.digest,
    layout: set.layouts[number] ?? '',
    reference: `${destination.host}/${repository}:${tag}`,
  }));
  const each = async (
    command: string | undefined,
    args: (target: (typeof targets)[number]) => string[],
  ): Promise<void> => {
    for (const target of targets) await runOk(command ?? '', args(target));
  };
  const prepare = (): Promise<void> => destination.restart({ empty: true });
  // regctl takes plain HTTP from its configuration only
  const host = ['--host', `reg=${destination.host},tls=disabled`];
  return [
    {
      name: 'oras cp --from-oci-layout',
      prepare,
      run: () =>
        each(oras, ({ digest, reference }) => {
          return ['cp', '--from-oci-layout', '--to-plain-http', `${corpus.layout}@${digest}`, reference];
        }),
    },
    {
      name: 'regctl image copy ocidir://',
      prepare,
      run: () =>
        each(regctl, ({ digest, reference }) => {
          return ['image', 'copy', ...host, `ocidir://${corpus.layout}@${digest}`, reference];
        }),
    },
    {
      name: 'crane push',
      prepare,
      run: () => each(crane, ({ layout, reference }) => ['push', layout, reference]),
    },
  ];
}

/** Of the loop over 1,000 images, 200 are run and scaled: it is linear, and the bench has to end. */
export async function noopPeers({ corpus, source, destination }: Bench): Promise<Contender[]> {
  const crane = await requireTool('crane');
  const part = corpus.tiny.slice(0, 200);
  return [
    {
      name: `crane copy loop (${part.length} of ${corpus.tiny.length}, scaled)`,
      scale: corpus.tiny.length / part.length,
      prepare: () => Promise.resolve(),
      run: async () => {
        for (const { repository, tag } of part) {
          await runOk(crane, [
            'copy',
            `${source.host}/${repository}:${tag}`,
            `${destination.host}/${repository}:${tag}`,
          ]);
        }
      },
    },
  ];
}
