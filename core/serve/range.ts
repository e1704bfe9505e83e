/** First and last byte, both included. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * Reads a Range header (RFC 9110, 14.1.2 and 14.2) for a body of `size` bytes.
 *
 * @returns undefined when the whole body is to be sent: no header, another unit, bad syntax, or several ranges, which a
 *   server may ignore
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  // no two stretches of white space beside each other: matching those would take the square of their length
  const match = /^\s*bytes\s*=\s*(?:(\d+)\s*)?-\s*(?:(\d+)\s*)?$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return undefined;
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 };
  }
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'unsatisfiable';
  return { first: Number(first), last: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** Whether a list of entity tags (If-None-Match) names this one. */
export function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const weakly = (text: string): string => text.trim().replace(/^W\//, '');
  return header.trim() === '*' || header.split(',').some((one) => weakly(one) === weakly(tag));
}
