import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { runOk } from './processes.ts';

/** An archive of diagnostics, as tar reads it. */
export interface DiagnosticsArchive {
  /** of its files, without its only folder */
  names: string[];
  /** all of its content */
  text: string;
  /** content of one of its files */
  file(name: string): Promise<string>;
}

/** Reads one. */
export async function readArchive(archive: string): Promise<DiagnosticsArchive> {
  const top = basename(archive).replace('.tar.gz', '');
  const names = (await runOk('tar', ['-tzf', archive])).trim().split('\n');
  expect(names.filter((name) => !name.startsWith(`${top}/`))).toEqual([]);
  return {
    names: names.map((name) => name.slice(top.length + 1)),
    text: gunzipSync(await readFile(archive)).toString('utf8'),
    file: (name) => runOk('tar', ['-xzOf', archive, `${top}/${name}`]),
  };
}
