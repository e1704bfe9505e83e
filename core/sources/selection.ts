import { SealiftError } from '../errors.ts';
import type { SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';

const optionNames = { kubeVersions: '--kube-version', providers: '--provider', release: '--release' } as const;

/** An InvalidInput about what was asked of a source, as against what its files say. */
export function selectionError(selection: SourceSelection, message: string, remedy: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'select from',
    subject: selection.files.length === 0 ? `source ${selection.source}` : selection.files.join(', '),
    message,
    remedy,
  });
}

/**
 * Refuses a selection that a source would have to ignore, and one with neither an input file nor an option of the source's own.
 * @throws SealiftError InvalidInput
 */
export function checkSelection(
  plugin: Pick<SourcePlugin, 'name' | 'selections' | 'options'>,
  selection: SourceSelection,
): void {
  if (selection.files.length === 0 && Object.keys(selection.options ?? {}).length === 0) {
    const hasOptions = (plugin.options ?? []).length > 0;
    const orOption = hasOptions ? ', or say where to look with --source-option NAME=VALUE' : '';
    throw selectionError(selection, `source ${plugin.name} needs an input file`, `name one with -f FILE${orOption}`);
  }
  for (const kind of ['kubeVersions', 'providers', 'release'] as const) {
    const asked = selection[kind];
    if (asked === undefined || asked.length === 0 || plugin.selections.includes(kind)) continue;
    throw selectionError(
      selection,
      `source ${plugin.name} has nothing that ${optionNames[kind]} could select`,
      `leave ${optionNames[kind]} out`,
    );
  }
  const known = (plugin.options ?? []).map(({ name }) => name);
  for (const name of Object.keys(selection.options ?? {})) {
    if (known.includes(name)) continue;
    const remedy = known.length === 0 ? 'leave --source-option out' : `use one of: ${known.join(', ')}`;
    throw selectionError(selection, `source ${plugin.name} has no option ${name}`, remedy);
  }
}
