/** The most that any JSON document in a bundle may have: 4 MiB, what registries take for a manifest (distribution-spec v1.1). */
export const maxJsonSize = 4 * 1024 * 1024;

const MAX_DEPTH = 64;

/**
 * Parses JSON that may be hostile: at most 4 MiB, valid UTF-8, nested at most 64 deep.
 *
 * @throws Error saying what is wrong with it, as the end of a sentence about the document
 */
export function parseBoundedJson(bytes: Uint8Array): unknown {
  checkJsonBounds(bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Error(`it is not JSON (${(error as Error).message})`, { cause: error });
  }
}

/** The bounds alone, for documents that something else parses. @throws Error as {@link parseBoundedJson} */
export function checkJsonBounds(bytes: Uint8Array): void {
  if (bytes.length > maxJsonSize) throw new Error(`it has ${bytes.length} bytes, more than the ${maxJsonSize} allowed`);
  if (nestingDepth(bytes) > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} deep`);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

function nestingDepth(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) inString = !inString;
    else if (inString) at += byte === BACKSLASH ? 1 : 0;
    else if (OPEN.has(byte)) deepest = Math.max(deepest, ++depth);
    else if (CLOSE.has(byte)) depth--;
  }
  return deepest;
}
