import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTool } from './paths.ts';
import { runOk } from './processes.ts';

export interface SnapOptions {
  name: string;
  base?: string;
  /** what images.txt in it lists; absent: it has none */
  images?: string[];
  /** false: without a .assert file */
  assertion?: boolean;
}

/**
 * Makes a real squashfs with what a snap has in it, and beside it the assertion that fits. The signature is none: only
 * snapd checks it.
 * @returns the path of the snap, `<folder>/<name>.snap`
 */
export async function makeSnap(folder: string, options: SnapOptions): Promise<string> {
  const { name, base, images, assertion = true } = options;
  const root = await mkdtemp(join(tmpdir(), 'sealift-snap-'));
  const path = join(folder, `${name}.snap`);
  try {
    await mkdir(join(root, 'meta'));
    const lines = [`name: ${name}`, 'version: 1.0', ...(base === undefined ? [] : [`base: ${base}`])];
    await writeFile(join(root, 'meta/snap.yaml'), `${lines.join('\n')}\n`);
    if (images !== undefined) await writeFile(join(root, 'images.txt'), `${images.join('\n')}\n`);
    const quiet = ['-quiet', '-no-progress', '-noappend', '-all-root', '-no-xattrs'];
    await runOk(await requireTool('mksquashfs'), [root, path, ...quiet]);
  } finally {
    await rm(root, { recursive: true });
  }
  if (assertion) await writeFile(join(folder, `${name}.assert`), await revisionAssertion(path));
  return path;
}

/** The assertions of a snap as `snap download` writes them, with what is said of it put right, or as `lie` has it. */
export async function revisionAssertion(snap: string, lie: { sha3?: string; size?: number } = {}): Promise<string> {
  const sha3 = createHash('sha3-384')
    .update(await readFile(snap))
    .digest('base64url');
  const size = (await stat(snap)).size;
  const key = ['type: account-key', 'authority-id: test', 'body-length: 4', '', 'body', '', 'AcLBnone'];
  const revision = [
    'type: snap-revision',
    'authority-id: test',
    `snap-sha3-384: ${lie.sha3 ?? sha3}`,
    'snap-id: test',
    'snap-revision: 7',
    `snap-size: ${lie.size ?? size}`,
    'sign-key-sha3-384: test',
  ];
  return `${[...key, '', ...revision, '', 'AcLBnone'].join('\n')}\n`;
}
