import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import type { ExportOptions } from './export-options.ts';
import type { ImportOptions } from './import-options.ts';

/** Says once on stderr that a spelling is deprecated and what to write instead. */
export function warnDeprecated(context: CommandContext, old: string, now: readonly string[]): void {
  context
    .status()
    .note(`Warning: \`sealift ${old}\` is deprecated and will be removed; use: sealift ${now.map(quoted).join(' ')}`);
}

/** What the new export command defaults to, for options that the old commands do not have. */
export const exportDefaults: Omit<ExportOptions, 'output' | 'file'> = {
  digestPolicy: 'enforce',
  concurrency: 4,
  onFailure: 'park',
};

/** What the new import command defaults to, for options that the old commands do not have. */
export const importDefaults: Omit<ImportOptions, 'input' | 'registry'> = { concurrency: 4, onFailure: 'park' };

/** The manifests to read: EKS Anywhere's own commands fall back on a release on the Internet, Sealift is told. @throws CliError InvalidInput */
export function manifestFiles(options: { bundlesOverride?: string; filename?: string }, command: string): string[] {
  const files = [options.bundlesOverride, options.filename].filter((file) => file !== undefined);
  if (files.length > 0) return files;
  throw new CliError('InvalidInput', {
    operation: command,
    subject: '--bundles-override',
    message: 'it is not known which release is meant',
    remedy: 'name its Bundles or Release manifest with --bundles-override FILE',
  });
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
