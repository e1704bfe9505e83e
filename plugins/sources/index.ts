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
    remedy: `use one of: ${sourceNames()}`,
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
  throw new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'detect the source of',
    subject: file,
    message:
      only === undefined
        ? 'no source recognises this file'
        : `several sources recognise this file: ${fitting.map((source) => source.name).join(', ')}`,
    remedy: `say what it is with --source (${sourceNames()})`,
  });
}

function sourceNames(): string {
  return sources.map((source) => source.name).join(', ');
}
