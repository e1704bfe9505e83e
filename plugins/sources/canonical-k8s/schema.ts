import { inputError } from '../../../core/sources/input-error.ts';
import { listedReferences } from '../../../core/sources/image-list.ts';

/** The first bytes of a squashfs archive, which a snap is. */
const SQUASHFS_MAGIC = 'hsqs';
const ORIGIN = 'ghcr.io/canonical/';

export function looksLikeSnap(content: string): boolean {
  return content.startsWith(SQUASHFS_MAGIC);
}

/** An assertion file begins with the type of its first assertion. */
export function looksLikeAssertions(content: string): boolean {
  return /^\s*type: [a-z-]+\n(?:[a-z0-9-]+:.*\n| .*\n)*authority-id: /.test(content);
}

/** Most of the images are Canonical's; those of workloads may have been added. */
export function looksLikeImages(content: string): boolean {
  const lines = listedReferences(content);
  return lines.filter(({ text }) => text.startsWith(ORIGIN)).length * 2 > lines.length;
}

/** One assertion as far as it is read here: its headers, and the line where it begins (from 1). */
export interface Assertion {
  headers: Map<string, string>;
  line: number;
}

/**
 * Reads a stream of assertions, as `snap download` writes it: headers, a body of `body-length` bytes, a signature, with an
 * empty line between each (snapd, "Assertions"). Signatures are snapd's to check, on the node.
 *
 * @throws SealiftError InvalidInput naming the line
 */
export function parseAssertions(file: string, bytes: Uint8Array): Assertion[] {
  // one character a byte, since body-length counts bytes
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const assertions: Assertion[] = [];
  for (let at = skipNewlines(text, 0); at < text.length;) {
    const line = lineOf(text, at);
    const end = text.indexOf('\n\n', at);
    if (end === -1) throw assertionError(file, line, 'the assertion has no signature');
    const headers = parseHeaders(file, text.slice(at, end), line);
    const length = bodyLength(file, headers, line);
    const signature = length === 0 ? end + 2 : end + 2 + length + 2;
    if (length > 0 && text.slice(signature - 2, signature) !== '\n\n') {
      throw assertionError(file, line, `its body does not have the ${length} bytes that body-length says`);
    }
    const next = text.indexOf('\n\n', signature);
    if (text.slice(signature, next === -1 ? undefined : next).trim() === '') {
      throw assertionError(file, line, 'the assertion has no signature');
    }
    assertions.push({ headers, line });
    at = next === -1 ? text.length : skipNewlines(text, next);
  }
  if (assertions.length === 0) throw assertionError(file, 1, 'the file holds no assertion');
  return assertions;
}

function parseHeaders(file: string, text: string, line: number): Map<string, string> {
  const headers = new Map<string, string>();
  let last: string | undefined;
  text.split('\n').forEach((row, index) => {
    const [, name, value = ''] = /^([a-z0-9][a-z0-9-]*):(?: (.*))?$/.exec(row) ?? [];
    if (name === undefined && row.startsWith(' ') && last !== undefined) {
      headers.set(last, `${headers.get(last) ?? ''}\n${row.trim()}`);
      return;
    }
    if (name === undefined) throw assertionError(file, line + index, 'it is not a header "name: value"');
    if (headers.has(name)) throw assertionError(file, line + index, `the header ${name} is there twice`);
    headers.set(name, value);
    last = name;
  });
  if (!headers.has('type')) throw assertionError(file, line, 'the assertion has no type');
  return headers;
}

function bodyLength(file: string, headers: Map<string, string>, line: number): number {
  const text = headers.get('body-length') ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw assertionError(file, line, `body-length is ${text}, not a number of bytes`);
}

function skipNewlines(text: string, at: number): number {
  let end = at;
  while (text[end] === '\n') end += 1;
  return end;
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}

/** Returned, not thrown. */
export function assertionError(file: string, line: number, message: string): Error {
  return inputError({ file, line }, message, {
    remedy: 'give the .assert file that `snap download` wrote beside the .snap file',
  });
}
