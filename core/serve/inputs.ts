import { open, type FileHandle } from 'node:fs/promises';
import type { Digest } from '../../contracts/descriptor.ts';
import { openBundle, type Bundle } from '../bundle/reader.ts';

/** Bytes that can be sent: made ones, or a stretch of an open file. */
export type Content = { bytes: Uint8Array } | Span;

/** A stretch of an open file, in bytes. */
export interface Span {
  /** file descriptor */
  fd: number;
  offset: number;
  size: number;
}

/** The bundles that are served, as one pool of content. */
export interface Inputs {
  readonly bundles: readonly Bundle[];
  /** Where a blob's bytes are; those of the first bundle that has it. */
  find(digest: Digest): (Span & { bundle: Bundle }) | undefined;
  close(): Promise<void>;
}

/**
 * Opens bundles in the order given. Each file is opened once for all requests: a download that breaks off has no handle
 * to leave behind, and a file that is replaced meanwhile is served as it was.
 *
 * @throws SealiftError as {@link openBundle}
 */
export async function openInputs(paths: readonly string[]): Promise<Inputs> {
  const opened: { bundle: Bundle; file: FileHandle }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(({ bundle, file }) => Promise.all([bundle.close(), file.close()])));
  };
  try {
    for (const path of paths) {
      const bundle = await openBundle(path);
      try {
        opened.push({ bundle, file: await open(path, 'r') });
      } catch (error) {
        await bundle.close();
        throw error;
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    bundles: opened.map(({ bundle }) => bundle),
    find(digest) {
      for (const { bundle, file } of opened) {
        const found = bundle.locate(digest);
        if (found !== undefined) return { bundle, fd: file.fd, offset: found.offset, size: found.size };
      }
      return undefined;
    },
    close,
  };
}
