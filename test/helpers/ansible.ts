import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './paths.ts';

/** The virtual environment with the pinned Ansible that `make setup` leaves. */
export const ansibleVenv = join(projectRoot, '.cache', 'ansible');

/** Whether there is one; says on the console which tests do not run for want of it. */
export function hasAnsible(tests: string): boolean {
  const present = existsSync(join(ansibleVenv, 'bin', 'ansible-playbook'));
  if (!present) console.warn(`${tests} not tested: there is no Ansible in ${ansibleVenv}; run \`make setup\``);
  return present;
}
