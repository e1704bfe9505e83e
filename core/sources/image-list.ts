import { basename } from 'node:path';
import type { SourceItem } from '../../contracts/bill-of-materials.ts';
import { inputError, type InputPosition } from './input-error.ts';
import { parseReferenceAt, pinnedDigest } from './reference-at.ts';
import { decodeText } from './text.ts';

/** One reference of an image list, with the line it stands on (from 1). */
export interface ListedReference {
  text: string;
  line: number;
}

/** An image of a list, with the place that is to blame when it contradicts another one. */
export interface ListedImage {
  item: SourceItem;
  position: InputPosition;
}

// A `#` inside a word is no comment, so that a mistyped reference is reported instead of cut short.
const COMMENT = /(^|\s)#.*$/;

/** The references of an image list: one a line, without comments and blank lines; nothing is checked yet. */
export function listedReferences(content: string): ListedReference[] {
  return content
    .split(/\r?\n/)
    .map((line, index) => ({ text: line.replace(COMMENT, '').trim(), line: index + 1 }))
    .filter(({ text }) => text !== '');
}

/**
 * The images of an image list, each found at `FILE:LINE`.
 * @param remedy for a file that lists none
 * @throws SealiftError InvalidInput with file and line when a line is no reference, or there is none
 */
export function listedImages(
  file: string,
  bytes: Uint8Array,
  remedy = 'write one image reference a line',
): ListedImage[] {
  const references = listedReferences(decodeText(file, bytes));
  if (references.length === 0) throw inputError({ file, line: 1 }, 'the file lists no image', { remedy });
  return references.map(({ text, line }) => {
    const position = { file, line };
    return { item: imageAt(text, position, `${basename(file)}:${line}`), position };
  });
}

/**
 * The image that a reference in an input file stands for: named after its repository, pinned by its own digest.
 * @throws SealiftError InvalidInput when it is no reference
 */
export function imageAt(text: string, position: InputPosition, foundAt: string): SourceItem {
  const digest = pinnedDigest(text, undefined, position);
  return {
    kind: 'image',
    name: basename(parseReferenceAt(text, position).repository),
    reference: text,
    ...(digest === undefined ? {} : { digest }),
    foundAt,
  };
}
