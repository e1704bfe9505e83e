import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Digest } from '../../contracts/descriptor.ts';
import { diskError } from './disk-error.ts';

/**
 * - written: the blob is in its place and its hash was right; perhaps not on the disk yet
 * - synced: it is on the disk
 * - prefix: at least `bytes` bytes from the blob's start were written in order
 */
export type JournalRecord =
  { kind: 'written' | 'synced'; digest: Digest } | { kind: 'prefix'; digest: Digest; bytes: number };

/** What is known of one partial bundle, kept in a text file that is only ever appended to. Files are written synchronously: a line is small. */
export interface Journal {
  /** nothing was recorded for this plan when the journal was opened */
  readonly fresh: boolean;
  readonly written: ReadonlySet<Digest>;
  readonly synced: ReadonlySet<Digest>;
  readonly prefixes: ReadonlyMap<Digest, number>;
  /** Remembers a record; it is in the file after the next flush. */
  append(record: JournalRecord): void;
  /** Writes what was appended: it survives the process. @throws SealiftError DiskFull, PathUnwritable */
  flush(): void;
  /** Forgets everything, on the disk too. @throws SealiftError DiskFull, PathUnwritable */
  reset(): void;
  close(): void;
}

/**
 * Opens the journal of a plan. One of another plan is discarded; a torn last line and lines that make no sense are
 * ignored.
 *
 * @throws SealiftError DiskFull, PathUnwritable
 */
export function openJournal(path: string, planDigest: Digest): Journal {
  try {
    return new FileJournal(path, `sealift journal 1 ${planDigest}\n`);
  } catch (error) {
    throw diskError(error, 'open journal', path);
  }
}

const RECORD = /^(written|synced|prefix) (sha256:[0-9a-f]{64})(?: (\d{1,15}))?$/;

class FileJournal implements Journal {
  readonly fresh: boolean;
  readonly written = new Set<Digest>();
  readonly synced = new Set<Digest>();
  readonly prefixes = new Map<Digest, number>();
  readonly #path: string;
  readonly #header: string;
  readonly #file: number;
  #pending: string[] = [];

  constructor(path: string, header: string) {
    this.#path = path;
    this.#header = header;
    this.#file = openSync(path, 'a+', 0o600);
    try {
      const text = readFileSync(this.#file, 'latin1');
      this.fresh = !text.startsWith(header);
      if (this.fresh) this.reset();
      else this.#load(text);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  append(record: JournalRecord): void {
    if (!this.#apply(record)) return;
    const bytes = record.kind === 'prefix' ? ` ${record.bytes}` : '';
    this.#pending.push(`${record.kind} ${record.digest}${bytes}\n`);
  }

  flush(): void {
    if (this.#pending.length === 0) return;
    const bytes = Buffer.from(this.#pending.join(''), 'latin1');
    this.#attempt('write journal', () => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done);
    });
    this.#pending = [];
  }

  reset(): void {
    this.written.clear();
    this.synced.clear();
    this.prefixes.clear();
    this.#attempt('reset journal', () => ftruncateSync(this.#file, 0));
    this.#pending = [this.#header];
    this.flush();
    this.#attempt('sync journal', () => fdatasyncSync(this.#file));
  }

  close(): void {
    closeSync(this.#file);
  }

  #load(text: string): void {
    const end = text.lastIndexOf('\n') + 1;
    // the next record must not become the rest of a torn line
    if (end < text.length) ftruncateSync(this.#file, end);
    for (const line of text.slice(this.#header.length, end).split('\n')) {
      const [, kind, digest, bytes] = RECORD.exec(line) ?? [];
      if (kind === 'prefix' && bytes !== undefined)
        this.#apply({ kind, digest: digest as Digest, bytes: Number(bytes) });
      else if ((kind === 'written' || kind === 'synced') && bytes === undefined) {
        this.#apply({ kind, digest: digest as Digest });
      }
    }
  }

  /** @returns whether the record says anything new */
  #apply(record: JournalRecord): boolean {
    const { digest } = record;
    if (this.synced.has(digest)) return false;
    if (record.kind === 'prefix') {
      if (record.bytes <= (this.prefixes.get(digest) ?? 0)) return false;
      this.prefixes.set(digest, record.bytes);
      return true;
    }
    this.prefixes.delete(digest);
    if (record.kind === 'synced') {
      this.written.delete(digest);
      this.synced.add(digest);
      return true;
    }
    return this.written.size !== this.written.add(digest).size;
  }

  #attempt(operation: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      throw diskError(error, operation, this.#path);
    }
  }
}
