import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { SealiftHost } from '../../contracts/host.ts';
import type { SourceOption, SourceSelection } from '../../contracts/source-plugin.ts';
import { CliError } from '../cli-error.ts';
import { collect, collectLists, collectPairs, missingOption } from './parse.ts';
import { withoutCredentials } from './registry-options.ts';

/** What the options say that select a distribution's content. */
export interface SourceOptions {
  file?: string[];
  source?: string;
  kubeVersion?: string[];
  provider?: string[];
  release?: string;
  pullFrom?: Record<string, string>;
  sourceOption?: Record<string, string[]>;
  /** from a configuration file; takes the place of everything above but `pullFrom` */
  sources?: SourceSelection[];
}

/** Adds the options that select a distribution's content. */
export function addSourceOptions(command: Command, { required = true } = {}): Command {
  const input = "an input of the source: a distribution's manifest or a list of images (path or URL); repeatable";
  return command
    .option('-f, --file <file>', required ? `${input} (required)` : input, collect)
    .option('--source <name>', 'which kind of input it is; found out from its content when not given')
    .option('--kube-version <version>', 'only this Kubernetes version, e.g. 1.30; repeatable', collect)
    .option('--provider <name>', 'only this infrastructure provider, e.g. vsphere; repeatable', collect)
    .option('--release <version>', 'the release to take, when the input lists several')
    .option(
      '--source-option <name=value>',
      'an option that this source alone has (docs/sources.md); repeatable',
      collectLists,
    )
    .option(
      '--pull-from <origin=url>',
      'read an origin (a registry host or a URL prefix) from elsewhere; repeatable',
      collectPairs,
    );
}

/**
 * Makes an input file required, unless a source is named that is told by an option of its own where to look.
 */
export function requireInput(command: Command): Command {
  return command.hook('preAction', () => {
    const { file, source, sourceOption, sources } = command.opts<SourceOptions>();
    if (sources !== undefined) return;
    if (file === undefined && (source === undefined || sourceOption === undefined)) missingOption(command, '--file');
  });
}

/** One selection a source, in the order in which the sources first occur among the files. */
export async function sourceSelections(
  options: SourceOptions,
  catalogue: SealiftHost['sources'],
  cwd: string,
): Promise<SourceSelection[]> {
  const known = await catalogue.names();
  if (options.source !== undefined && !known.some(({ name }) => name === options.source)) {
    throw new CliError('InvalidInput', {
      operation: 'choose source',
      subject: options.source,
      message: 'there is no such source',
      remedy: `use one of ${known.map(({ name }) => name).join(', ')}`,
    });
  }
  for (const [origin, url] of Object.entries(options.pullFrom ?? {})) {
    refuseCredentials(`${origin}=${url}`, origin);
    refuseCredentials(`${origin}=${url}`, url);
  }
  if (options.sources !== undefined) return options.sources;
  const filesOf = new Map<string, string[]>(options.source === undefined ? [] : [[options.source, []]]);
  for (const given of options.file ?? []) {
    const file = absoluteLocation(given, cwd);
    const source = options.source ?? (await catalogue.detect(file, options.pullFrom ?? {}));
    filesOf.set(source, [...(filesOf.get(source) ?? []), file]);
  }
  return [...filesOf].map(([source, files]) => ({
    source,
    files,
    kubeVersions: options.kubeVersion ?? [],
    providers: options.provider ?? [],
    ...(options.release === undefined ? {} : { release: options.release }),
    ...(options.sourceOption === undefined
      ? {}
      : { options: ownOptions(options.sourceOption, known.find(({ name }) => name === source)?.options, cwd) }),
  }));
}

/**
 * What was given for the options that a plugin declares, and for those that nobody does: the plugin refuses them. Paths
 * become absolute.
 *
 * @throws CliError InvalidInput for a URL with credentials
 */
export function ownOptions(
  given: Record<string, string[]>,
  declared: readonly SourceOption[] | undefined,
  cwd: string,
): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(given).map(([name, values]) => {
      const { path = false } = declared?.find((option) => option.name === name) ?? {};
      for (const value of values) if (value.includes('://')) refuseCredentials(`${name}=${value}`, value);
      return [name, path ? values.map((value) => absoluteLocation(value, cwd)) : values];
    }),
  );
}

/**
 * A path made absolute (the worker runs elsewhere than the command); URLs stay as they are.
 *
 * @throws CliError InvalidInput for a URL with credentials
 */
export function absoluteLocation(location: string, cwd: string): string {
  if (!/^(https?|file):\/\//i.test(location)) return resolve(cwd, location);
  refuseCredentials(location, location);
  return location;
}

/** The path of a bundle, made absolute. @throws CliError InvalidInput for a URL: its bytes are read where they lie, many times */
export function bundlePath(given: string, cwd: string): string {
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(given)) return resolve(cwd, given);
  refuseCredentials(given, given);
  throw new CliError('InvalidInput', {
    operation: 'open bundle',
    subject: withoutCredentials(given),
    message: 'a bundle is read from a local file, this is a URL',
    remedy: 'fetch it first (e.g. `curl -C - -O URL`), then give the path',
  });
}

/** What a command is asked for is kept in Temporal's history: a password must not be part of it. */
function refuseCredentials(given: string, url: string): void {
  if (!/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i.test(url)) return;
  throw new CliError('InvalidInput', {
    operation: 'read location',
    subject: withoutCredentials(given),
    message: 'it holds credentials',
    remedy:
      'leave them out: those of registries belong in docker configuration (`docker login`); a file that wants a password is fetched first',
  });
}
