import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SealiftError } from '../errors.ts';
import { backoffMs } from '../http/retry.ts';
import { gitAccess } from './git-access.ts';
import { git, gitFailure, runGit, type GitOptions } from './git-program.ts';

export interface GitBranch {
  /** holds no credentials */
  url: string;
  branch: string;
}

/** What one commit does; paths are relative to the top of the repository. */
export interface GitChange {
  /** content by path */
  write: Readonly<Record<string, string>>;
  /** files, and folders with all that is below them; what is written as well stays */
  remove?: readonly string[];
  message: string;
  author: { name: string; email: string };
}

export interface PublishContext {
  env: Record<string, string | undefined>;
  /** a folder of the operation's own */
  scratch: string;
  signal?: AbortSignal;
}

export interface Published {
  /** commit that the branch is at; empty when the repository still has none */
  commit: string;
  /** false when the branch has it all already */
  pushed: boolean;
}

/** How often somebody else may push in between. */
const MAX_PUSHES = 10;
const NO_COMMIT = '';
const overtaken =
  /\[rejected\]|\[remote rejected\].*(failed to update ref|cannot lock ref|incorrect old value)|non-fast-forward/;

/**
 * Brings files into a branch with one commit, or none when nothing would change. Nothing is checked out: what a repository
 * holds (links, filters, hooks) cannot do anything here. When somebody else pushed in between, the same change is made upon
 * what they pushed. A branch that is not there is made from the repository's default branch. May be repeated at any point.
 * @throws SealiftError GitConflict naming the files when somebody else changed the same ones meanwhile; GitUnreachable,
 * GitForbidden, GitRefused, InvalidInput (URL, paths), ToolMissing; the signal's reason
 */
export async function publish(target: GitBranch, change: GitChange, context: PublishContext): Promise<Published> {
  for (const path of [...Object.keys(change.write), ...(change.remove ?? [])]) checkPath(path);
  await mkdir(context.scratch, { recursive: true });
  const folder = await mkdtemp(join(context.scratch, 'git-'));
  try {
    const access = await gitAccess(target.url, context.env, folder);
    const { name, email } = change.author;
    const options: GitOptions = {
      cwd: folder,
      env: {
        ...access.env,
        GIT_DIR: join(folder, 'repository'),
        ...{ GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email },
      },
      subject: `${target.url} (${target.branch})`,
      secrets: access.secrets,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    };
    await git(['init', '--quiet', '--bare'], options);
    return await publishFrom(target, change, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function publishFrom(target: GitBranch, change: GitChange, options: GitOptions): Promise<Published> {
  const base = await fetchTip(target, options);
  for (let tip = base, pushes = 1; ; pushes += 1) {
    const edits = await editsUpon(tip.commit, change, options);
    if (tip !== base) await refuseConflicts(base.commit, tip.commit, edits, options);
    const tree = await writeTree(tip.commit, edits, options);
    if (tree === undefined) return { commit: tip.commit, pushed: false };
    const parents = tip.commit === NO_COMMIT ? [] : ['-p', tip.commit];
    const commit = (await git(['commit-tree', tree, ...parents, '-F', '-'], options, change.message)).trim();
    const { code, stdout, stderr } = await push(target, commit, tip.onBranch ? tip.commit : NO_COMMIT, options);
    if (code === 0) return { commit, pushed: true };
    if (!overtaken.test(stdout + stderr)) throw gitFailure('push', `${stdout}\n${stderr}`, options.subject);
    if (pushes === MAX_PUSHES) throw gitFailure('push', 'others push faster than this can', options.subject);
    await pause(backoffMs(Math.min(pushes, 4)));
    tip = await fetchTip(target, options);
  }
}

interface Tip {
  /** empty when the repository has none */
  commit: string;
  /** false when the branch is to be made */
  onBranch: boolean;
}

async function fetchTip({ url, branch }: GitBranch, options: GitOptions): Promise<Tip> {
  const wanted = `refs/heads/${branch}`;
  const listed = await git(['ls-remote', '--', url, wanted, 'HEAD'], options);
  const names = listed.split('\n').map((line) => line.split('\t')[1]);
  const onBranch = names.includes(wanted);
  if (!onBranch && !names.includes('HEAD')) return { commit: NO_COMMIT, onBranch };
  const from = onBranch ? wanted : 'HEAD';
  await git(['fetch', '--quiet', '--depth=1', '--no-tags', '--', url, `+${from}:refs/sealift/tip`], options);
  return { commit: (await git(['rev-parse', 'refs/sealift/tip'], options)).trim(), onBranch };
}

function push(
  { url, branch }: GitBranch,
  commit: string,
  expected: string,
  options: GitOptions,
): ReturnType<typeof runGit> {
  // an expected value that is empty says that the branch must not be there yet
  const lease = `--force-with-lease=refs/heads/${branch}:${expected}`;
  return runGit(['push', '--porcelain', lease, '--', url, `${commit}:refs/heads/${branch}`], options);
}

/** Object ids by path; undefined removes the file. */
type Edits = Map<string, string | undefined>;

async function editsUpon(commit: string, { write, remove = [] }: GitChange, options: GitOptions): Promise<Edits> {
  const edits: Edits = new Map();
  for (const path of remove) {
    for (const found of (await filesOf(commit, [path], options)).keys()) edits.set(found, undefined);
  }
  await refuseOtherKinds(commit, Object.keys(write), options);
  for (const [path, content] of Object.entries(write)) {
    edits.set(path, (await git(['hash-object', '-w', '--stdin'], options, content)).trim());
  }
  return edits;
}

/** Object ids of the files at or below these paths. */
async function filesOf(commit: string, paths: readonly string[], options: GitOptions): Promise<Map<string, string>> {
  const entries = await entriesOf(commit, ['-r'], paths, options);
  return new Map(entries.map(({ path, id }) => [path, id]));
}

interface TreeEntry {
  path: string;
  type: string;
  id: string;
}

async function entriesOf(
  commit: string,
  flags: readonly string[],
  paths: readonly string[],
  options: GitOptions,
): Promise<TreeEntry[]> {
  if (commit === NO_COMMIT || paths.length === 0) return [];
  const literal = { ...options, env: { ...options.env, GIT_LITERAL_PATHSPECS: '1' } };
  const listed = await git(['ls-tree', ...flags, '-z', '--full-tree', commit, '--', ...paths], literal);
  return listed
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [about = '', path = ''] = entry.split('\t');
      const [, type = '', id = ''] = about.split(' ');
      return { path, type, id };
    });
}

/** Git would put a file in the place of a folder, or a folder in the place of a file or link, without a word. */
async function refuseOtherKinds(commit: string, files: readonly string[], options: GitOptions): Promise<void> {
  const folders = new Set(
    files.flatMap((file) =>
      file
        .split('/')
        .slice(0, -1)
        .map((_, depth, parts) => parts.slice(0, depth + 1).join('/')),
    ),
  );
  const there = await entriesOf(commit, [], [...folders, ...files], options);
  // git lists some neighbours as well
  const odd = there.find(({ path, type }) => (type === 'tree' ? files.includes(path) : folders.has(path)));
  if (odd === undefined) return;
  throw new SealiftError('GitRefused', {
    side: 'destination',
    operation: 'git commit',
    subject: options.subject,
    message: `${odd.path} is a ${odd.type === 'tree' ? 'folder' : 'file or link'} there, and something else is to be written`,
    remedy: 'move it away in the repository, or use another clusterConfigPath',
  });
}

async function refuseConflicts(base: string, tip: string, edits: Edits, options: GitOptions): Promise<void> {
  const paths = [...edits.keys()];
  const [before, now] = await Promise.all([filesOf(base, paths, options), filesOf(tip, paths, options)]);
  const conflicts = paths.filter((path) => now.get(path) !== before.get(path) && now.get(path) !== edits.get(path));
  if (conflicts.length === 0) return;
  throw new SealiftError('GitConflict', {
    side: 'destination',
    operation: 'git push',
    subject: options.subject,
    message: `somebody else changed ${conflicts.join(', ')} at the same moment; nothing was pushed`,
    remedy: 'look at these files, decide which content is right, then retry: it writes over what is there now',
  });
}

/** @returns undefined when the tree is the commit's own already */
async function writeTree(commit: string, edits: Edits, options: GitOptions): Promise<string | undefined> {
  await git(['read-tree', ...(commit === NO_COMMIT ? ['--empty'] : [commit])], options);
  const lines = [...edits].map(([path, id]) =>
    id === undefined ? `0 ${'0'.repeat(40)}\t${path}\0` : `100644 ${id}\t${path}\0`,
  );
  await git(['update-index', '-z', '--index-info'], options, lines.join(''));
  const tree = (await git(['write-tree'], options)).trim();
  const current = commit === NO_COMMIT ? ['hash-object', '-t', 'tree', '--stdin'] : ['rev-parse', `${commit}^{tree}`];
  return (await git(current, options)).trim() === tree ? undefined : tree;
}

function checkPath(path: string): void {
  const parts = path.split('/');
  const odd = parts.some((part) => ['', '.', '..'].includes(part) || part.toLowerCase() === '.git');
  if (!odd && !/[\p{Cc}\\]/u.test(path)) return;
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'git commit',
    subject: path,
    message: 'it is no path of a file in a repository',
    remedy: 'use a relative path without `..`, e.g. clusters/prod',
  });
}
