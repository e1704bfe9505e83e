import { inputError } from './input-error.ts';

/**
 * Decodes an input file as UTF-8 and drops a byte order mark.
 * @throws SealiftError InvalidInput when the bytes are not UTF-8
 */
export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const line = firstLineThatIsNotUtf8(bytes);
    throw inputError({ file, line }, 'the file is not UTF-8 text', {
      remedy: 'give a text file saved as UTF-8',
      cause,
    });
  }
}

function firstLineThatIsNotUtf8(bytes: Uint8Array): number {
  const newline = 0x0a;
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const found = bytes.indexOf(newline, start);
    const end = found === -1 ? bytes.length : found;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
  }
  return 1;
}
