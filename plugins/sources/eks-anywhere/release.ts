import type { SourceContext, SourceSelection } from '../../../contracts/source-plugin.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { selectionError } from '../../../core/sources/selection.ts';
import { readInputs, type Inputs, type Manifest } from './inputs.ts';
import type { Release } from './schema.ts';

/** A version that was chosen from a Release manifest. */
export interface ChosenRelease {
  manifest: Manifest<Release>;
  version: string;
}

/**
 * Follows each Release manifest to the Bundles of the version asked for (else its latest) and adds them to `inputs`.
 * Bundles of the same number that were given as a file are taken instead, so that nothing is fetched.
 * @throws SealiftError InvalidInput when the version is not listed, or other Bundles were given than it needs
 */
export async function followReleases(
  inputs: Inputs,
  selection: SourceSelection,
  context: SourceContext,
): Promise<ChosenRelease[]> {
  if (inputs.releases.length === 0 && selection.release !== undefined) {
    throw selectionError(
      selection,
      `release ${selection.release} was asked for, but no input file lists releases`,
      'give the Release manifest with -f, or leave --release out',
    );
  }
  const given = [...inputs.bundles];
  const chosen: ChosenRelease[] = [];
  for (const manifest of inputs.releases) {
    const { version, number, url } = releaseFor(manifest, selection);
    chosen.push({ manifest, version });
    if (given.length === 0) {
      const read = await bundlesAt(url, number, context);
      inputs.bundles.push(...read.bundles);
      inputs.eksDistro.push(...read.eksDistro);
    } else if (!given.some((bundles) => bundles.content.spec.number === number)) {
      const [other] = given;
      throw inputError(
        other?.document.positionOf(['spec', 'number']) ?? { file: url },
        `release ${version} has Bundles number ${number}, these are number ${other?.content.spec.number}`,
        { remedy: `give the Bundles of release ${version}, or choose another release with --release` },
      );
    }
  }
  return chosen;
}

async function bundlesAt(url: string, number: number, context: SourceContext): Promise<Inputs> {
  const read = await readInputs([url], context);
  const wrong = read.bundles.find((bundles) => bundles.content.spec.number !== number);
  if (wrong !== undefined) {
    throw inputError(wrong.document.positionOf(['spec', 'number']), `the Release manifest says number ${number}`);
  }
  if (read.bundles.length === 0) throw inputError({ file: url, line: 1 }, 'the file holds no Bundles');
  return read;
}

function releaseFor(
  { document, content }: Manifest<Release>,
  selection: SourceSelection,
): { version: string; number: number; url: string } {
  const { latestVersion, releases } = content.spec;
  const version = selection.release ?? latestVersion;
  const release = releases.find((candidate) => bare(candidate.version) === bare(version));
  if (release === undefined) {
    throw inputError(
      document.positionOf(['spec', 'releases']),
      `no matching release found for version ${version} to get Bundles URL. Latest available version is ${latestVersion}`,
      { remedy: `choose one with --release: ${releases.map((candidate) => candidate.version).join(', ')}` },
    );
  }
  return { version: release.version, number: release.number, url: release.bundleManifestUrl };
}

function bare(version: string): string {
  return version.replace(/^v/, '');
}
