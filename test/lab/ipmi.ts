import { setTimeout as sleep } from 'node:timers/promises';
import { startProcess } from '../helpers/processes.ts';
import { bmcProgram } from './bmc-emulators.ts';

export interface IpmiOptions {
  /** an address of loopback: each BMC has one of its own, as in a rack */
  host: string;
  /** UDP */
  port: number;
  user: string;
  password: string;
}

/** A BMC that speaks IPMI 2.0 only, of a machine that is not there and is off: pyghmi's fakebmc. */
export interface IpmiBmc extends AsyncDisposable {
  stop(): Promise<void>;
}

// fakebmc's own command line has one fixed user, and listens on every address; the password is not for `ps`
const program = `
import os, sys
from pyghmi.cmd.fakebmc import FakeBmc
from pyghmi.ipmi.bmc import Bmc

class LabBmc(FakeBmc):
    def __init__(self, users, port, address):
        Bmc.__init__(self, users, port, address=address)
        self.powerstate = 'off'
        self.bootdevice = 'default'

host, port, user = sys.argv[1:]
bmc = LabBmc({user: os.environ['BMC_PASSWORD']}, int(port), host)
print('ready', flush=True)
bmc.listen()
`;

/** Starts it and waits until it has its port (about a second). */
export async function startIpmi({ host, port, user, password }: IpmiOptions): Promise<IpmiBmc> {
  const running = await startProcess({
    command: bmcProgram('python'),
    args: ['-c', program, host, String(port), user],
    env: { BMC_PASSWORD: password },
  });
  let ended = false;
  void running.exited.then(() => (ended = true));
  while (!running.log().includes('ready')) {
    if (ended) throw new Error(`the BMC ended:\n${running.log()}`);
    await sleep(25);
  }
  const stop = (): Promise<void> => running.stop();
  return { stop, [Symbol.asyncDispose]: stop };
}
