import { Command } from 'commander';
import { CliError } from '../../cli-error.ts';
import type { CommandContext } from '../../context.ts';
import { importDefaults, warnDeprecated } from '../../options/deprecated-options.ts';
import { requireOptions } from '../../options/parse.ts';
import { importArtifacts } from './artifacts.ts';

interface ImportImagesOptions {
  input: string;
  registry?: string;
  filename?: string;
  insecure?: boolean;
}

/** The deprecated `sealift import images` and `sealift import-images`, with the flags of EKS Anywhere's commands. */
export function importImagesCommand(context: CommandContext, spelling: 'import images' | 'import-images'): Command {
  const command = new Command(spelling === 'import images' ? 'images' : spelling)
    .description('Deprecated: use `sealift import artifacts`.')
    .option('-i, --input <file>', 'the tar that `sealift export artifacts` wrote (required)')
    .option('-r, --registry <host[:port][/namespace]>', 'the registry to push into')
    .option('-b, --bundles <file>', 'not needed: the tar holds its manifests')
    .option('--insecure', 'accept any certificate');
  if (spelling === 'import-images') {
    command.option('-f, --filename <file>', 'a cluster spec whose registryMirrorConfiguration names the registry');
  }
  return requireOptions(command, '--input').action((options: ImportImagesOptions) =>
    importImages(context, spelling, options),
  );
}

async function importImages(context: CommandContext, spelling: string, options: ImportImagesOptions): Promise<void> {
  const mirror = await mirrorOf(context, options);
  const map = Object.entries(mirror.map).flatMap(([origin, namespace]) => ['--map', `${origin}=${namespace}`]);
  const flags = mirror.insecure ? ['--insecure-skip-tls-verify'] : [];
  warnDeprecated(context, spelling, [
    'import',
    'artifacts',
    '--input',
    options.input,
    '--registry',
    mirror.registry,
    ...map,
    ...flags,
  ]);
  await importArtifacts(context, {
    ...importDefaults,
    input: options.input,
    registry: mirror.registry,
    map: mirror.map,
    insecureSkipTlsVerify: mirror.insecure,
  });
}

async function mirrorOf(context: CommandContext, options: ImportImagesOptions) {
  const { registry, filename, insecure = false } = options;
  if (registry !== undefined) return { registry, map: {}, insecure };
  if (filename === undefined) {
    throw new CliError('InvalidInput', {
      operation: 'import images',
      subject: '--registry',
      message: 'no registry is given',
      remedy: 'give --registry HOST[:PORT][/NAMESPACE]',
    });
  }
  const { readRegistryMirror } = await import('../../options/registry-mirror.ts');
  const mirror = await readRegistryMirror(filename, context.terminal.cwd);
  return { ...mirror, insecure: insecure || mirror.insecure };
}
