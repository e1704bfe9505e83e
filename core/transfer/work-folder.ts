import { appendFile, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../contracts/descriptor.ts';
import { diskError } from '../bundle/disk-error.ts';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';
import { digestOf, hexOf } from '../oci/digest.ts';

/**
 * What an operation knows while it is under way: small content by digest, its plan, what is done. Everything in it can be
 * found out again; it only saves asking twice. Values read back are those that were written: the folder is Sealift's own.
 */
export class WorkFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  blobPath(digest: Digest): string {
    return join(this.path, 'blobs', hexOf(digest));
  }

  async writeBlob(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    if (!(await this.hasBlob(digest, bytes.length))) await writeFileAtomically(this.blobPath(digest), bytes);
    return digest;
  }

  readBlob(digest: Digest): Promise<Uint8Array> {
    return readFile(this.blobPath(digest));
  }

  async hasBlob(digest: Digest, size: number): Promise<boolean> {
    const found = await stat(this.blobPath(digest)).catch(() => undefined);
    return found?.size === size;
  }

  /**
   * The file that a URL is fetched into when its digest is not known; made empty when it is not there.
   * @throws SealiftError DiskFull, PathUnwritable
   */
  async spoolPath(url: string): Promise<string> {
    const path = join(this.path, 'spool', hexOf(digestOf(Buffer.from(url))));
    try {
      await mkdir(join(this.path, 'spool'), { recursive: true });
      await appendFile(path, '');
      return path;
    } catch (error) {
      throw diskError(error, 'write', path);
    }
  }

  async fileSize(path: string): Promise<number> {
    return (await stat(path)).size;
  }

  async writeJson(name: string, value: unknown): Promise<void> {
    await writeFileAtomically(this.file(name), JSON.stringify(value));
  }

  /** @returns undefined when the file is not there; the value is one that `writeJson` wrote */
  async readJson<T>(name: string): Promise<T | undefined> {
    const text = await readFileIfPresent(this.file(name));
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  /** @throws SealiftError DiskFull, PathUnwritable */
  async append(name: string, value: unknown): Promise<void> {
    const path = this.file(name);
    try {
      await mkdir(this.path, { recursive: true });
      // Begun with a line end too: what a crash tore before it must not take this line along.
      await appendFile(path, `\n${JSON.stringify(value)}\n`, { mode: 0o600 });
    } catch (error) {
      throw diskError(error, 'write', path);
    }
  }

  /** The lines that `append` wrote; a line torn by a crash is left out. */
  async readLines<T>(name: string): Promise<T[]> {
    const text = (await readFileIfPresent(this.file(name))) ?? '';
    return text.split('\n').flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as T];
      } catch {
        return [];
      }
    });
  }

  async forget(...names: string[]): Promise<void> {
    for (const name of names) await rm(this.file(name), { force: true });
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
