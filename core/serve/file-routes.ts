import type { FileTree, TreeFile } from '../trees/tree.ts';
import { digestOf } from '../oci/digest.ts';
import { refuseMethod, sendContent, sendText, type Exchange } from './exchange.ts';
import type { Content, Inputs } from './inputs.ts';
import { listingOf } from './listing.ts';
import { mediaTypeOf } from './media-type.ts';
import { decoded } from './registry-routes.ts';
import { indexPage } from './simple-index.ts';

/** Trees by the folder they are served below, e.g. `helm`. */
export type Mounts = ReadonlyMap<string, MountedTree>;

/** A tree that knows its folders. */
export interface MountedTree {
  find(path: string): TreeFile | undefined;
  /** names in a folder, those of folders with a slash at the end, sorted; undefined when there is no such folder */
  list(folder: string): string[] | undefined;
}

/** The mount whose paths are served at the root as well: files by their original host and path. */
export const FILES_MOUNT = 'files';

/** The mount that is a Python index, whose pages have two forms. */
export const PYTHON_MOUNT = 'pypi';

/** A file of a tree with how it is sent. */
interface FoundFile {
  path: string;
  file: TreeFile;
  /** by the file's name when absent */
  mediaType?: string;
  headers?: Record<string, string>;
}

export function mountTree({ files }: FileTree): MountedTree {
  const folders = new Map<string, Set<string>>([['', new Set()]]);
  for (const path of files.keys()) {
    const parts = path.split('/');
    for (let depth = 0; depth < parts.length; depth += 1) {
      const folder = parts.slice(0, depth).join('/');
      const names = folders.get(folder) ?? new Set();
      folders.set(folder, names.add(depth === parts.length - 1 ? parts[depth]! : `${parts[depth]!}/`));
    }
  }
  return {
    find: (path) => files.get(path),
    list: (folder) => {
      const names = folders.get(folder);
      return names === undefined ? undefined : [...names].sort();
    },
  };
}

/** Answers everything that is not the registry: files of the mounted trees, and listings of their folders. */
export async function answerFile(exchange: Exchange, mounts: Mounts, inputs: Inputs): Promise<void> {
  if (exchange.request.method !== 'GET' && exchange.request.method !== 'HEAD') {
    refuseMethod(exchange, 'text/plain', 'these files are read-only: they come from a bundle\n');
    return;
  }
  const raw = exchange.path.slice(1);
  if (raw === '') {
    exchange.route = 'listing';
    const hosts = mounts.get(FILES_MOUNT)?.list('') ?? [];
    const folders = [...mounts].filter(([, tree]) => tree.list('')?.length !== 0).map(([name]) => `${name}/`);
    sendHtml(exchange, listingOf('/', [...folders, ...hosts]));
    return;
  }
  const slash = raw.indexOf('/');
  const mount = slash === -1 ? raw : raw.slice(0, slash);
  const tree = mounts.get(mount);
  const below = tree === undefined ? raw : raw.slice(mount.length + 1);
  const isWithin = tree === undefined || slash !== -1;
  exchange.route = tree === undefined ? FILES_MOUNT : mount;
  await answerBelow(exchange, tree ?? mounts.get(FILES_MOUNT)!, isWithin ? below : undefined, inputs);
}

/** @param below the path in the tree; undefined for the tree's root without its slash */
async function answerBelow(
  exchange: Exchange,
  tree: MountedTree,
  below: string | undefined,
  inputs: Inputs,
): Promise<void> {
  const found = below === undefined ? undefined : fileAt(tree, below, exchange.query);
  if (found !== undefined) return sendFile(exchange, found, inputs);
  const folder = decoded(below ?? '').replace(/\/$/, '');
  const names = tree.list(folder);
  if (names === undefined) {
    sendText(exchange, 404, 'text/plain', 'no bundle has this file\n');
    return;
  }
  if (!exchange.path.endsWith('/')) {
    // relative links of a listing, or of an index.html, count from the slash
    const last = exchange.path.slice(exchange.path.lastIndexOf('/') + 1);
    sendText(exchange, 301, 'text/plain', 'this is a folder\n', { location: `${last}/` });
    return;
  }
  const index = indexOf(exchange, tree, folder);
  if (index !== undefined) return sendFile(exchange, index, inputs);
  exchange.route = 'listing';
  sendHtml(exchange, listingOf(decoded(exchange.path), names));
}

/** The page that stands for a folder, when it has one. */
function indexOf({ route, request }: Exchange, tree: MountedTree, folder: string): FoundFile | undefined {
  if (route === PYTHON_MOUNT) return indexPage(tree, folder, request.headers.accept);
  const path = folder === '' ? 'index.html' : `${folder}/index.html`;
  const file = tree.find(path);
  return file === undefined ? undefined : { path, file };
}

/** URLs with a query may be files of their own; most servers' queries change nothing. */
function fileAt(tree: MountedTree, below: string, query: URLSearchParams): FoundFile | undefined {
  const withQuery = query.size === 0 ? [] : [`${below}?${query.toString()}`];
  for (const path of [...withQuery, below, decoded(below)]) {
    const file = tree.find(path);
    if (file !== undefined) return { path, file };
  }
  return undefined;
}

const tags = new WeakMap<Uint8Array, string>();

async function sendFile(
  exchange: Exchange,
  { path, file, mediaType = mediaTypeOf(path), headers = {} }: FoundFile,
  inputs: Inputs,
): Promise<void> {
  const content: Content | undefined = file.kind === 'bytes' ? { bytes: file.bytes } : inputs.find(file.digest);
  if (content === undefined) throw new Error(`${path} names a blob that no bundle has`);
  const entityTag = `"${file.kind === 'blob' ? file.digest : tagOf(file.bytes)}"`;
  await sendContent(exchange, { content, mediaType, entityTag, headers });
}

function tagOf(bytes: Uint8Array): string {
  const known = tags.get(bytes) ?? digestOf(bytes);
  tags.set(bytes, known);
  return known;
}

function sendHtml(exchange: Exchange, html: string): void {
  sendText(exchange, 200, 'text/html; charset=utf-8', html);
}
