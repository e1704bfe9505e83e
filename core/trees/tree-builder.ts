import type { Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { hexOf } from '../oci/digest.ts';
import type { FileTree, TreeFile } from './tree.ts';

/** What file systems take for one name (NAME_MAX of Linux), in bytes. */
const MAX_SEGMENT = 255;

/** Collects the files of a tree: no path leaves it, none is there twice, none is a file and a folder at once. */
export class TreeBuilder {
  readonly warnings: string[] = [];
  readonly #files = new Map<string, TreeFile>();
  readonly #folders = new Set<string>();

  /**
   * Places a blob. Where another content is already, it goes beside it under a name with its digest, and a warning says so.
   *
   * @param origin the reference it came by, for warnings
   * @returns where it lies; undefined when the path can't be one, which a warning says
   */
  addBlob(path: string, blob: { digest: Digest; size: number }, origin: string): string | undefined {
    if (!isTreePath(path)) {
      this.warnings.push(`${origin}: left out, ${JSON.stringify(path)} can't be the path of a file`);
      return undefined;
    }
    const { digest, size } = blob;
    const there = this.#files.get(path);
    if (there?.kind === 'blob' && there.digest === digest) return path;
    if (!this.#isTaken(path)) {
      this.#place(path, { kind: 'blob', digest, size });
      return path;
    }
    const beside = `${path}-${hexOf(digest).slice(0, 12)}`;
    const known = this.#files.get(beside);
    if (known?.kind === 'blob' && known.digest === digest) return beside;
    if (!isTreePath(beside) || this.#isTaken(beside)) {
      this.warnings.push(`${origin}: left out, ${path} is taken by another file`);
      return undefined;
    }
    this.warnings.push(`${origin}: ${path} is taken by another file, so it lies at ${beside}`);
    this.#place(beside, { kind: 'blob', digest, size });
    return beside;
  }

  /** Does what places one package; when the package is not fit for it, that is a warning, and the others are not held up. */
  async attempt(origin: string, place: () => Promise<void>): Promise<void> {
    try {
      await place();
    } catch (error) {
      if (error instanceof SealiftError || !(error instanceof Error)) throw error;
      this.warnings.push(`${origin}: left out: ${error.message}`);
    }
  }

  /** Places what was made from the bundle. Its path is Sealift's own, and replaces what is there. */
  addBytes(path: string, content: string | Uint8Array): void {
    this.#place(path, { kind: 'bytes', bytes: typeof content === 'string' ? Buffer.from(content) : content });
  }

  build(): FileTree {
    const files = new Map([...this.#files].sort(([a], [b]) => (a < b ? -1 : 1)));
    return { files, warnings: [...this.warnings] };
  }

  #isTaken(path: string): boolean {
    return this.#files.has(path) || this.#folders.has(path) || parents(path).some((folder) => this.#files.has(folder));
  }

  #place(path: string, file: TreeFile): void {
    this.#files.set(path, file);
    for (const folder of parents(path)) this.#folders.add(folder);
  }
}

/** Whether a path names a file below a folder and nothing else: no empty, `.` or `..` segment, no control character. */
export function isTreePath(path: string): boolean {
  return path
    .split('/')
    .every(
      (segment) =>
        segment !== '' &&
        segment !== '.' &&
        segment !== '..' &&
        Buffer.byteLength(segment) <= MAX_SEGMENT &&
        !/[\u0000-\u001f\u007f\\]/.test(segment),
    );
}

function parents(path: string): string[] {
  const segments = path.split('/');
  return segments.slice(1).map((_, count) => segments.slice(0, count + 1).join('/'));
}
