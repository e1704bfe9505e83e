import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SealiftError } from '../errors.ts';

/** What git is run with to reach one repository: secrets stay in the environment. */
export interface GitAccess {
  env: Record<string, string>;
  /** texts that no error may repeat */
  secrets: string[];
}

type Environment = Record<string, string | undefined>;

/** Answers git's and ssh's questions from the environment; of passwords only for the host that they are meant for. */
const ASKPASS = `#!/bin/sh
case "$1" in
  *passphrase*) printf '%s\\n' "$SEALIFT_ASKPASS_PASSPHRASE" ;;
  "Username for '"*"://$SEALIFT_ASKPASS_HOST'"*) printf '%s\\n' "$SEALIFT_ASKPASS_USERNAME" ;;
  "Password for '"*"@$SEALIFT_ASKPASS_HOST'"*) printf '%s\\n' "$SEALIFT_ASKPASS_PASSWORD" ;;
  *) exit 1 ;;
esac
`;

/** Where a repository is: over http(s), over ssh, or a folder of this machine. */
export type GitUrl = { kind: 'http'; host: string } | { kind: 'ssh' } | { kind: 'file' };

/**
 * Makes what git needs to reach a repository, from EKS Anywhere's variables: EKSA_GIT_PRIVATE_KEY and EKSA_GIT_KNOWN_HOSTS
 * (paths), EKSA_GIT_SSH_KEY_PASSPHRASE, EKSA_GITHUB_TOKEN (for github.com only); GIT_USERNAME and GIT_PASSWORD for other
 * servers. Without them ssh's agent and keys and git's credential helpers are asked, never a person.
 * @param folder gets a program that answers git's questions; it holds no secret
 * @throws SealiftError InvalidInput (URL), GitForbidden (a file that is named cannot be read)
 */
export async function gitAccess(url: string, env: Environment, folder: string): Promise<GitAccess> {
  const parsed = parseGitUrl(url);
  const askpass = join(folder, 'askpass');
  await writeFile(askpass, ASKPASS, { mode: 0o700 });
  const base = { ...withoutGit(env), GIT_ASKPASS: askpass, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C', LANGUAGE: 'C' };
  if (parsed.kind === 'file') return { env: base, secrets: [] };
  if (parsed.kind === 'http') return httpAccess(parsed.host, env, base);
  return sshAccess(env, base, askpass);
}

/** @throws SealiftError InvalidInput when it is none, or holds a password */
export function parseGitUrl(url: string): GitUrl {
  if (/^(\/|file:\/\/\/)/.test(url)) return { kind: 'file' };
  if (/^[\w.-]+@[\w.-]+:(?!\/\/)/.test(url)) return { kind: 'ssh' };
  if (!URL.canParse(url)) throw badUrl(url, 'it is no URL of a git repository');
  const { protocol, host, username, password } = new URL(url);
  if (password !== '') throw badUrl(url, 'it holds a password');
  if (protocol === 'ssh:') return { kind: 'ssh' };
  if (protocol !== 'https:' && protocol !== 'http:') throw badUrl(url, `${protocol} is not supported`);
  if (username !== '') throw badUrl(url, 'it holds a name or token');
  return { kind: 'http', host };
}

function httpAccess(host: string, env: Environment, base: Record<string, string>): GitAccess {
  const token = host === 'github.com' ? env['EKSA_GITHUB_TOKEN'] : undefined;
  const username = token === undefined ? env['GIT_USERNAME'] : 'x-access-token';
  const password = token ?? env['GIT_PASSWORD'];
  if (username === undefined || password === undefined) return { env: base, secrets: [] };
  return {
    env: {
      ...base,
      SEALIFT_ASKPASS_HOST: host,
      SEALIFT_ASKPASS_USERNAME: username,
      SEALIFT_ASKPASS_PASSWORD: password,
    },
    secrets: [password],
  };
}

async function sshAccess(env: Environment, base: Record<string, string>, askpass: string): Promise<GitAccess> {
  const { EKSA_GIT_PRIVATE_KEY: key, EKSA_GIT_SSH_KEY_PASSPHRASE: passphrase, EKSA_GIT_KNOWN_HOSTS: hosts } = env;
  const options = ['StrictHostKeyChecking=yes', 'PasswordAuthentication=no', 'KbdInteractiveAuthentication=no'];
  options.push('ConnectTimeout=15', 'ServerAliveInterval=15', 'ServerAliveCountMax=4');
  if (key !== undefined) {
    await readable('EKSA_GIT_PRIVATE_KEY', key);
    options.push(`IdentityFile="${key}"`, 'IdentitiesOnly=yes');
  }
  if (hosts !== undefined) {
    await readable('EKSA_GIT_KNOWN_HOSTS', hosts);
    options.push(`UserKnownHostsFile="${hosts}"`, 'GlobalKnownHostsFile=/dev/null');
  }
  const command = ['ssh', ...options.flatMap((option) => ['-o', quoted(option)])].join(' ');
  return {
    env: {
      ...base,
      GIT_SSH_COMMAND: command,
      GIT_SSH_VARIANT: 'ssh',
      SSH_ASKPASS: askpass,
      SSH_ASKPASS_REQUIRE: 'force',
      ...(passphrase === undefined ? {} : { SEALIFT_ASKPASS_PASSPHRASE: passphrase }),
    },
    secrets: passphrase === undefined ? [] : [passphrase],
  };
}

/** The environment without what would lead git to another repository, or name credentials that are not for it. */
function withoutGit(env: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !/^(GIT_|SSH_ASKPASS|EKSA_)/.test(name)) kept[name] = value;
  }
  return kept;
}

async function readable(variable: string, path: string): Promise<void> {
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw new SealiftError('GitForbidden', {
      side: 'local',
      operation: 'read',
      subject: path,
      message: `${variable} names a file that cannot be read`,
      remedy: `let ${variable} name a file that the worker can read`,
      cause,
    });
  });
}

function badUrl(url: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read URL of git repository',
    subject: url,
    message,
    remedy: 'use ssh://USER@HOST/PATH, USER@HOST:PATH or https://HOST/PATH; credentials come from the environment',
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
