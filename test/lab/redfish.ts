import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Certificates } from '../helpers/certificates.ts';
import { runOk, startProcess } from '../helpers/processes.ts';
import { temporaryFolder } from '../helpers/paths.ts';
import { bmcProgram } from './bmc-emulators.ts';

export interface RedfishOptions {
  /** an address of loopback: each BMC has one of its own, as in a rack */
  host: string;
  port: number;
  user: string;
  password: string;
  certificates: Pick<Certificates, 'certificate' | 'key'>;
  power?: 'On' | 'Off';
}

/** A BMC that speaks Redfish over TLS: sushy-emulator of OpenStack, with one machine that is not there. */
export interface RedfishBmc extends AsyncDisposable {
  stop(): Promise<void>;
}

/** Starts it and waits until it answers (a second or two). */
export async function startRedfish(options: RedfishOptions): Promise<RedfishBmc> {
  const folder = await temporaryFolder('redfish');
  const at = (name: string): string => join(folder.path, name);
  const hash =
    "import bcrypt, sys; print(bcrypt.hashpw(sys.stdin.read().encode(), bcrypt.gensalt(4)).decode(), end='')";
  const hashed = await runOk(bmcProgram('python'), ['-c', hash], { input: options.password });
  await writeFile(at('htpasswd'), `${options.user}:${hashed}\n`, { mode: 0o600 });
  await writeFile(at('emulator.conf'), configuration(options, folder.path));
  const running = await startProcess({
    command: bmcProgram('sushy-emulator'),
    args: ['--config', at('emulator.conf')],
    ready: () => accepts(options.host, options.port),
  }).catch(async (error: unknown) => {
    await folder.remove();
    throw error;
  });
  const stop = async (): Promise<void> => {
    await running.stop();
    await folder.remove();
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

/** A file of Python assignments. */
function configuration({ host, port, certificates, power = 'Off' }: RedfishOptions, folder: string): string {
  const system = {
    uuid: 'da69abcc-dae0-4913-9a7b-d344043097c0',
    name: 'machine',
    power_state: power,
    nics: [],
  };
  const settings = {
    SUSHY_EMULATOR_LISTEN_IP: host,
    SUSHY_EMULATOR_LISTEN_PORT: port,
    SUSHY_EMULATOR_SSL_CERT: certificates.certificate,
    SUSHY_EMULATOR_SSL_KEY: certificates.key,
    SUSHY_EMULATOR_AUTH_FILE: join(folder, 'htpasswd'),
    // emulators share what they remember unless told otherwise
    SUSHY_EMULATOR_STATE_DIR: folder,
    SUSHY_EMULATOR_FAKE_SYSTEMS: [system],
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return ['SUSHY_EMULATOR_FAKE_DRIVER = True', ...lines, ''].join('\n');
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
