import { spawn } from 'node:child_process';
import { SealiftError } from '../errors.ts';

export interface GitOptions {
  cwd: string;
  /** the whole environment */
  env: Record<string, string>;
  /** what errors name: the repository's URL */
  subject: string;
  /** texts that no error may repeat */
  secrets: readonly string[];
  signal?: AbortSignal;
}

export interface GitOutput {
  code: number | null;
  stdout: string;
  /** without secrets */
  stderr: string;
}

const settings = [
  // nobody is there to answer, to look at progress, or to sign
  ...[
    '-c',
    'core.hooksPath=/dev/null',
    '-c',
    'commit.gpgSign=false',
    '-c',
    'gc.auto=0',
    '-c',
    'advice.statusHints=false',
  ],
  // a line on which nothing moves for a minute is given up
  ...['-c', 'http.lowSpeedLimit=1', '-c', 'http.lowSpeedTime=60'],
];
/** How much of what git says is told. */
const TOLD = 2000;

/**
 * Runs git to its end, whatever its exit code.
 * @throws SealiftError ToolMissing; the signal's reason
 */
export async function runGit(args: readonly string[], options: GitOptions, input = ''): Promise<GitOutput> {
  const { cwd, env, signal } = options;
  signal?.throwIfAborted();
  const child = spawn('git', [...settings, ...args], { cwd, env, ...(signal === undefined ? {} : { signal }) });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // git may end before it has read everything
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw toolMissing(options.subject, error);
  });
  const text = Buffer.concat(stderr).toString('utf8');
  return { code, stdout: Buffer.concat(stdout).toString('utf8'), stderr: withoutSecrets(text, options.secrets) };
}

/** Runs git, which has to succeed. @returns its standard output @throws SealiftError as `gitFailure`; as `runGit` */
export async function git(args: readonly string[], options: GitOptions, input = ''): Promise<string> {
  const output = await runGit(args, options, input);
  if (output.code === 0) return output.stdout;
  throw gitFailure(args[0] ?? '', output.stderr, options.subject);
}

const forbidden =
  /authentication failed|could not read (username|password)|permission denied|host key verification failed|returned error: 40[13]|terminal prompts disabled|invalid (username|credentials)/i;
const missing = /not found|does not appear to be a git repository|returned error: 404|no such file or directory/i;
const unreachable =
  /could not resolve|connection (refused|timed out|reset|closed)|could(n't| not) connect|failed to connect|timed out|returned error: (5\d\d|429)|early eof|hung up|no route|network is unreachable|too slow|unable to access|could not read from remote/i;

/** What git's words mean: GitForbidden, GitUnreachable or GitRefused. Returned, not thrown. */
export function gitFailure(command: string, stderr: string, subject: string): SealiftError {
  const { type, remedy } = meaningOf(stderr);
  const said = stderr.replace(/\s+/g, ' ').trim().slice(-TOLD);
  return new SealiftError(type, {
    side: 'destination',
    operation: `git ${command}`,
    subject,
    message: said === '' ? 'git ended with an error and said nothing' : said,
    remedy,
  });
}

function meaningOf(stderr: string): { type: 'GitForbidden' | 'GitUnreachable' | 'GitRefused'; remedy: string } {
  if (/host key verification failed/i.test(stderr)) {
    const remedy =
      "put the server's host key into the file that EKSA_GIT_KNOWN_HOSTS names (`ssh-keyscan HOST`, checked)";
    return { type: 'GitForbidden', remedy };
  }
  if (forbidden.test(stderr)) {
    const remedy =
      'set EKSA_GIT_PRIVATE_KEY (and EKSA_GIT_SSH_KEY_PASSPHRASE) for ssh, EKSA_GITHUB_TOKEN for GitHub, or GIT_USERNAME and ' +
      'GIT_PASSWORD for another server, where the worker runs';
    return { type: 'GitForbidden', remedy };
  }
  if (missing.test(stderr)) return { type: 'GitRefused', remedy: 'check the URL, or create the repository' };
  if (unreachable.test(stderr)) {
    return {
      type: 'GitUnreachable',
      remedy: 'check network, name and proxy (HTTPS_PROXY, NO_PROXY); it is tried again',
    };
  }
  return { type: 'GitRefused', remedy: 'let the account push to this branch, or choose another branch' };
}

function toolMissing(subject: string, cause: unknown): SealiftError {
  return new SealiftError('ToolMissing', {
    side: 'local',
    operation: 'run git',
    subject,
    message: cause instanceof Error ? cause.message : String(cause),
    remedy: 'install git on the machine where the worker runs',
    cause,
  });
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret !== '').reduce((cleaned, secret) => cleaned.replaceAll(secret, '***'), text);
}
