import { spawn } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot, temporaryFolder, toolsFolder, type TemporaryFolder } from './paths.ts';
import { dyingWithParent, type Finished } from './processes.ts';

/** The XDG folders of one user of Sealift, apart from everybody else's. */
export interface SealiftHome extends AsyncDisposable {
  path: string;
  /** where state, journals and the embedded server's database are */
  state: string;
  /** environment of every command of this home; nothing of the caller's environment but PATH */
  env: Record<string, string>;
  /** processes that were started below this home, background servers and workers included */
  processes(): Promise<HomeProcess[]>;
  /** SIGKILLs those whose command line matches (all when absent). @returns how many */
  kill(commandLine?: RegExp): Promise<number>;
  /** Kills what is left and removes the folders. */
  remove(): Promise<void>;
}

export interface HomeProcess {
  pid: number;
  commandLine: string;
}

/** @param env added to the environment, e.g. `startTemporal().env` */
export async function createSealiftHome(env: Record<string, string> = {}): Promise<SealiftHome> {
  return sealiftHomeIn(await temporaryFolder('home'), env);
}

/** The same in a folder that outlives this process, e.g. of a demo whose server is looked at afterwards. */
export function sealiftHomeIn(folder: TemporaryFolder, env: Record<string, string> = {}): SealiftHome {
  const at = (name: string): string => join(folder.path, name);
  const environment = {
    PATH: `${toolsFolder}:${process.env['PATH'] ?? ''}`,
    HOME: folder.path,
    XDG_CONFIG_HOME: at('config'),
    XDG_CACHE_HOME: at('cache'),
    XDG_STATE_HOME: at('state'),
    XDG_DATA_HOME: at('data'),
    XDG_RUNTIME_DIR: at('run'),
    NO_COLOR: '1',
    ...env,
  };
  const kill = (commandLine?: RegExp): Promise<number> => killProcesses(folder.path, commandLine);
  const remove = async (): Promise<void> => {
    await kill();
    await folder.remove();
  };
  return {
    path: folder.path,
    state: join(folder.path, 'state', 'sealift'),
    env: environment,
    processes: () => processesOf(folder.path),
    kill,
    remove,
    [Symbol.asyncDispose]: remove,
  };
}

/** Known by HOME in their environment, which is this home's own fresh folder: nobody else's process can have it. */
async function processesOf(home: string): Promise<HomeProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      if (!environment.split('\0').includes(`HOME=${home}`)) return [];
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return [{ pid: Number(pid), commandLine: commandLine.replaceAll('\0', ' ').trim() }];
    }),
  );
  return found.flat();
}

async function killProcesses(home: string, commandLine?: RegExp): Promise<number> {
  const victims = (await processesOf(home)).filter((one) => commandLine?.test(one.commandLine) ?? true);
  for (const { pid } of victims) signal(pid, 'SIGKILL');
  const gone = async (): Promise<boolean> => {
    const left = new Set((await processesOf(home)).map((one) => one.pid));
    return victims.every(({ pid }) => !left.has(pid));
  };
  while (!(await gone())) await sleep(10);
  return victims.length;
}

export interface KillPlan {
  /** milliseconds after the start */
  afterMs?: number;
  /** asked every few milliseconds; the kill comes right after the first true */
  when?: () => boolean | Promise<boolean>;
  /**
   * command: the CLI's process group, as a closed terminal would; everything: all processes of the home whose command
   * line matches, so background workers too. `command` when absent.
   */
  victims?: 'command' | RegExp;
}

export interface SealiftOptions {
  home: SealiftHome;
  env?: Record<string, string>;
  cwd?: string;
  kill?: KillPlan;
  /** sees what the command writes as it comes, e.g. to show it to a person */
  onOutput?: (text: string) => void;
}

export interface SealiftResult extends Finished {
  /** whether the kill plan struck before the command had ended by itself */
  killed: boolean;
}

export interface RunningSealift {
  pid: number;
  stdout(): string;
  stderr(): string;
  /** SIGINT, as Ctrl-C sends it to the whole group */
  interrupt(): void;
  /** SIGKILL to the whole group */
  kill(): void;
  done: Promise<Finished>;
}

/** Starts `bin/sealift` in a process group of its own; its `done` never rejects. */
export function startSealift(args: string[], options: Omit<SealiftOptions, 'kill'>): RunningSealift {
  const [command, commandArgs] = dyingWithParent(join(projectRoot, 'bin', 'sealift'), args);
  const child = spawn(command, commandArgs, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...options.home.env, ...options.env },
    cwd: options.cwd ?? options.home.path,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const done = new Promise<Finished>((resolve) => {
    child.once('error', (error) => {
      resolve({ code: 127, stdout, stderr: stderr + error.message });
    });
    // background processes of the command may keep its pipes open, so `close` can be long after `exit`
    child.once('exit', (code, by) => {
      const finish = (): void => {
        clearTimeout(enough);
        resolve({ code: code ?? by ?? 1, stdout, stderr });
      };
      const enough = setTimeout(finish, 300);
      child.once('close', finish);
    });
  });
  for (const output of [child.stdout, child.stderr]) output.on('data', (text: string) => options.onOutput?.(text));
  const pid = child.pid ?? -1;
  return {
    pid,
    stdout: () => stdout,
    stderr: () => stderr,
    interrupt: () => {
      signal(-pid, 'SIGINT');
    },
    kill: () => {
      signal(-pid, 'SIGKILL');
    },
    done,
  };
}

/** Runs `bin/sealift` to its end, or to the end that the kill plan gives it. */
export async function runSealift(args: string[], options: SealiftOptions): Promise<SealiftResult> {
  const running = startSealift(args, options);
  const plan = options.kill;
  if (plan === undefined) return { ...(await running.done), killed: false };
  let ended = false;
  void running.done.then(() => (ended = true));
  const started = Date.now();
  const due = async (): Promise<boolean> =>
    (plan.afterMs !== undefined && Date.now() - started >= plan.afterMs) || ((await plan.when?.()) ?? false);
  while (!ended && !(await due())) await sleep(5);
  const killed = !ended;
  if (killed && plan.victims instanceof RegExp) await options.home.kill(plan.victims);
  if (killed) running.kill();
  return { ...(await running.done), killed };
}

/** A kill condition: the file has at least this many bytes (a journal grows; a partial bundle is allocated at once). */
export function fileReaches(path: string, bytes: number): () => Promise<boolean> {
  return () =>
    stat(path).then(
      (found) => found.size >= bytes,
      () => false,
    );
}

/** A kill condition: a file server or fault proxy has moved this many bytes. */
export function counterReaches(read: () => number, bytes: number): () => boolean {
  return () => read() >= bytes;
}

/** Sends a signal to a process, or with a negative number to a group; one that is gone already is fine. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
