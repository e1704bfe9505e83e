import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../helpers/paths.ts';

/** A program of the virtual environment with BMC emulators that `make setup` leaves. */
export function bmcProgram(name: string): string {
  return join(projectRoot, '.cache', 'bmc', 'bin', name);
}

/** Whether there is one; says on the console which tests do not run for want of it. */
export function hasBmcEmulators(tests: string): boolean {
  const present = existsSync(bmcProgram('sushy-emulator'));
  if (!present) console.warn(`${tests} not tested: there are no BMC emulators in .cache/bmc; run \`make setup\``);
  return present;
}
