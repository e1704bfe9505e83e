import { isIP } from 'node:net';
import type { FluxConfigSpec } from '../../../../contracts/cluster-spec.ts';
import { redact } from '../../../errors.ts';
import type { Finder } from '../findings.ts';
import { isDnsLabel } from '../syntax.ts';

/** A FluxConfig: where a repository is, and where in it. */
export function gitOpsRules(flux: FluxConfigSpec, at: Finder): void {
  if ((flux.git === undefined) === (flux.github === undefined)) {
    const message = flux.git === undefined ? 'it says neither git nor github' : 'it says both git and github';
    at.problem('flux', ['spec'], message, 'say where the repository is in one of them');
  }
  const { git, github, branch, clusterConfigPath: folder, systemNamespace: namespace } = flux;
  if (git !== undefined && !isRepositoryUrl(git.repositoryUrl)) {
    const message = `${JSON.stringify(redact(git.repositoryUrl))} is no address of a git repository`;
    const remedy = 'write it as ssh://git@host/path/repository.git';
    at.problem('flux', ['spec', 'git', 'repositoryUrl'], message, remedy);
  } else if (git !== undefined && /^https?:\/\/[^/]*:[^/]*@/.test(git.repositoryUrl)) {
    const message = 'the address holds a password';
    at.problem('flux', ['spec', 'git', 'repositoryUrl'], message, 'take it out: credentials come from the environment');
  }
  for (const field of ['owner', 'repository'] as const) {
    const given = github?.[field];
    if (given === undefined || /^[\w.-]+$/.test(given)) continue;
    at.problem('flux', ['spec', 'github', field], `${JSON.stringify(given)} is no name that GitHub has`, 'correct it');
  }
  if (branch !== undefined && !isBranch(branch)) {
    at.problem('flux', ['spec', 'branch'], `${JSON.stringify(branch)} cannot be the name of a branch`, 'correct it');
  }
  if (folder !== undefined && (folder.startsWith('/') || folder.split('/').includes('..'))) {
    const message = `${folder} leads out of the repository`;
    at.problem('flux', ['spec', 'clusterConfigPath'], message, 'write it relative to the root of the repository');
  }
  if (namespace !== undefined && !isDnsLabel(namespace)) {
    const message = `${JSON.stringify(namespace)} cannot be the name of a namespace`;
    at.problem('flux', ['spec', 'systemNamespace'], message, 'use lower case letters, digits and hyphens');
  }
}

/** What git itself takes, local paths and bundles left out; upstream knows ssh:// only. */
function isRepositoryUrl(text: string): boolean {
  if (/^[\w.-]+@[\w.-]+:(?!\/)\S+$/.test(text)) return true;
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname } = new URL(text);
  if (protocol === 'file:') return pathname.length > 1;
  const named = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || hostname !== '';
  return ['ssh:', 'http:', 'https:'].includes(protocol) && named && pathname.length > 1;
}

/** The rules of git-check-ref-format that people meet. */
function isBranch(text: string): boolean {
  return text !== '' && !/[\s~^:?*[\\]|\.\.|@\{|\/\/|\p{Cc}/u.test(text) && !/^[/.-]|[/.]$|\.lock$|\/\./.test(text);
}
