import type { SourcePlugin } from '../../contracts/source-plugin.ts';
import { SealiftError } from '../../core/errors.ts';
import * as registered from './registered.ts';

/** Every source plugin there is, in the order of their names in code. */
export const sources: readonly SourcePlugin[] = Object.values(registered);

/** The source with this name. @throws SealiftError InvalidInput that lists the names there are */
export function sourceNamed(name: string): SourcePlugin {
  const found = sources.find((source) => source.name === name);
  if (found !== undefined) return found;
  throw new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'find source',
    subject: name,
    message: 'there is no such source',
    remedy: `use one of: ${namesOf(sources)}`,
  });
}

/**
 * The one source that recognises the content of an input file; `file` only names it in errors.
 * @throws SealiftError InvalidInput when none or several do
 */
export function detectSource(content: string, file: string): SourcePlugin {
  const recognising = sources.filter((source) => source.recognises(content));
  const particular = recognising.filter(({ generic }) => generic !== true);
  const fitting = particular.length > 0 ? particular : recognising;
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  const several = `several sources recognise this file: ${namesOf(fitting)}`;
  const message = only === undefined ? 'no source recognises this file' : several;
  throw undetected(file, message, `say what it is with --source (${namesOf(sources)})`);
}

/** An InvalidInput for an input that is a folder, since only a file's content tells what it is. Returned, not thrown. */
export function undetectedFolder(folder: string): SealiftError {
  const taking = namesOf(sources.filter(({ folders }) => folders === true));
  const remedy = `name the files in it, or say what it is with --source (sources that take folders: ${taking})`;
  return undetected(folder, 'it is a folder, which does not tell what it is', remedy);
}

function undetected(subject: string, message: string, remedy: string): SealiftError {
  const operation = 'detect the source of';
  return new SealiftError('InvalidInput', { side: 'source', operation, subject, message, remedy });
}

function namesOf(some: readonly SourcePlugin[]): string {
  return some.map(({ name }) => name).join(', ');
}
