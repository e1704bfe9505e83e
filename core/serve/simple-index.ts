import type { TreeFile } from '../trees/tree.ts';

/** A page of a Python index in the form that a client wants. */
export interface IndexPage {
  path: string;
  file: TreeFile;
  mediaType: string;
  headers: Record<string, string>;
}

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const HTML_TYPE = 'application/vnd.pypi.simple.v1+html';
const OLD_TYPE = 'text/html';

/** What clients may ask for (PEP 691, "Version + Format Selection"), and what they then get. */
const answers: Readonly<Record<string, string>> = {
  [JSON_TYPE]: JSON_TYPE,
  'application/vnd.pypi.simple.latest+json': JSON_TYPE,
  [HTML_TYPE]: HTML_TYPE,
  'application/vnd.pypi.simple.latest+html': HTML_TYPE,
  [OLD_TYPE]: OLD_TYPE,
};

/**
 * The page of a folder as JSON or HTML, by the Accept header. HTML as `text/html` for who asks for neither: that is what
 * clients before PEP 691 know.
 *
 * @returns undefined when the folder has no such page
 */
export function indexPage(
  tree: { find(path: string): TreeFile | undefined },
  folder: string,
  accept: string | undefined,
): IndexPage | undefined {
  const wanted = wantedType(accept ?? '');
  const path = `${folder}/index.${wanted === JSON_TYPE ? 'json' : 'html'}`;
  const file = tree.find(path);
  if (file === undefined) return undefined;
  const mediaType = wanted === OLD_TYPE ? `${OLD_TYPE}; charset=utf-8` : wanted;
  return { path, file, mediaType, headers: { vary: 'Accept' } };
}

/** The type with the highest weight (RFC 9110, 12.5.1); of equal ones the first. */
function wantedType(accept: string): string {
  let best = { type: OLD_TYPE, weight: 0 };
  for (const range of accept.toLowerCase().split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
    const type = Object.hasOwn(answers, name) ? answers[name] : undefined;
    const weight = weightOf(parameters);
    if (type !== undefined && weight > best.weight) best = { type, weight };
  }
  return best.type;
}

function weightOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith('q='));
  return given === undefined ? 1 : Number(given.slice(2)) || 0;
}
