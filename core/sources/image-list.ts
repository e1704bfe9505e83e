/** One reference of an image list, with the line it stands on (from 1). */
export interface ListedReference {
  text: string;
  line: number;
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
