import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ExportConfig } from '../../contracts/export-config.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import type { SourceOptions } from './source-options.ts';

/** Flags that belong to an input: together they take the place of the file's `sources`. */
const selecting = ['file', 'source', 'kubeVersion', 'provider', 'release', 'sourceOption'] as const;

/**
 * Adds `--config`: a file with flags and sources. What the command line says wins, `--pull-from` origin by origin. To be
 * added before options are required.
 */
export function addConfigOption(command: Command, context: CommandContext): Command {
  return command
    .option(
      '--config <file>',
      'a sealift.yaml with these options and several sources (docs/cli.md); options given here win',
    )
    .hook('preAction', async () => {
      const { config } = command.opts<{ config?: string }>();
      if (config === undefined) return;
      const { configuration } = await context.host();
      const { sources, platforms, pullFrom, ...flags } = await configuration.readExport(
        resolve(context.terminal.cwd, config),
      );
      const given: Partial<ExportConfig> & { platform?: string[] } = {
        ...flags,
        ...(platforms === undefined ? {} : { platform: platforms }),
      };
      for (const [name, value] of Object.entries(given)) {
        if (!isGiven(command, name)) command.setOptionValueWithSource(name, value, 'config');
      }
      if (pullFrom !== undefined) {
        const merged = { ...pullFrom, ...command.opts<SourceOptions>().pullFrom };
        command.setOptionValueWithSource('pullFrom', merged, 'config');
      }
      if (sources !== undefined && !replacesSources(command, config)) {
        command.setOptionValueWithSource('sources', sources, 'config');
      }
    });
}

/** @throws CliError InvalidInput when only a part of a selection is given: which source would it be meant for? */
function replacesSources(command: Command, config: string): boolean {
  const given = selecting.filter((name) => isGiven(command, name));
  if (given.length === 0) return false;
  if (isGiven(command, 'file') || isGiven(command, 'source')) return true;
  throw new CliError('InvalidInput', {
    operation: 'read command line',
    subject: `--${given[0]?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    message: `${config} names its sources with their selections, so it is not known which one is meant`,
    remedy: 'write it into the file, or name the input with -f: that takes the place of all sources in the file',
  });
}

function isGiven(command: Command, name: string): boolean {
  return command.getOptionValueSource(name) === 'cli';
}
