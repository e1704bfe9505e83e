import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { contactBmc } from '../../plugins/providers/tinkerbell/bmc/contact.ts';
import { freePort } from '../../core/server/free-port.ts';
import { generateCertificates } from '../helpers/certificates.ts';
import { requireTool, temporaryFolder } from '../helpers/paths.ts';
import { runOk, startProcess, type RunningProcess } from '../helpers/processes.ts';
import { startIpmi } from './ipmi.ts';
import { startRedfish } from './redfish.ts';

/** A machine of a rack, as the test wants it. */
export interface RackMachine {
  hostname: string;
  /** of the hardware list, e.g. `type=cp` */
  labels: string;
  protocol: 'Redfish' | 'IPMI';
}

/** An action that a machine was told to run while it was installed. */
export interface RunAction {
  workflow: string;
  name: string;
  image: string;
  /** `NAME=value` */
  environment: string[];
}

/**
 * Machines that are not there, with BMCs that are: emulators on addresses of loopback of their own. A machine that is switched
 * on, and told to boot from the network, comes up as Tinkerbell's agent (tools/tinkerbell/agent), which asks for its actions.
 * What lies between power and agent (DHCP, TFTP, iPXE, HookOS) and what actions do to a disk is not there.
 */
export interface Rack extends AsyncDisposable {
  /** the hardware list */
  csv: string;
  /** how BMCs are reached, for a worker */
  env: Record<string, string>;
  /** from now on machines that boot find Tinkerbell's workflow server there */
  bootFrom(server: string): void;
  /** asked of the BMC */
  power(hostname: string): Promise<string>;
  /** what the machine was told to run so far, over all its installations */
  ran(hostname: string): RunAction[];
}

const login = { username: 'admin', password: 'correct horse' };
const LOOK_EVERY_MS = 1_000;
const heading = 'hostname,bmc_ip,bmc_username,bmc_password,mac,ip_address,netmask,gateway,nameservers,labels,disk';

interface Slot extends RackMachine {
  address: string;
  mac: string;
  wasOn: boolean;
  /** one for each time that it came up from the network, the last one maybe still there */
  agents: RunningProcess[];
}

export async function startRack(machines: readonly RackMachine[]): Promise<Rack> {
  const [redfishPort, ipmiPort] = [await freePort(), await freePort()];
  const folder = await temporaryFolder('rack');
  const block = `127.${randomInt(16, 240)}.${randomInt(1, 250)}`;
  const slots = machines.map((machine, index): Slot => {
    const mac = `02:00:00:00:00:${String(index + 1).padStart(2, '0')}`;
    return { ...machine, address: `${block}.${index + 1}`, mac, wasOn: false, agents: [] };
  });
  const certificates = await generateCertificates(folder.path);
  const bmcs: AsyncDisposable[] = [];
  const stopBmcs = async (): Promise<void> => {
    await Promise.all(bmcs.map((bmc) => bmc[Symbol.asyncDispose]()));
    await folder.remove();
  };
  try {
    for (const { address: host, protocol } of slots) {
      const own = { host, user: login.username, password: login.password };
      const redfish = (): Promise<AsyncDisposable> => startRedfish({ ...own, port: redfishPort, certificates });
      bmcs.push(await (protocol === 'Redfish' ? redfish() : startIpmi({ ...own, port: ipmiPort })));
    }
  } catch (error) {
    await stopBmcs();
    throw error;
  }
  const tools = { run: (command: string, args: readonly string[], options = {}) => runTool(command, args, options) };
  const powerOf = async ({ address: ip }: Slot): Promise<string> => {
    const answer = await contactBmc({ ip, ...login }, { redfishPort, ipmiPort }, tools);
    return answer.kind === 'answers' ? answer.power : answer.detail;
  };
  const find = (hostname: string): Slot => slots.find((slot) => slot.hostname === hostname)!;
  let server: string | undefined;
  const watching = watchSlots(slots, async (slot) => {
    const isOn = (await powerOf(slot)) === 'on';
    if (isOn && !slot.wasOn && server !== undefined && (await bootsFromNetwork(slot, { redfishPort, ipmiPort }))) {
      slot.agents.push(await boot(slot, server));
    }
    if (!isOn) await slot.agents.at(-1)?.kill();
    slot.wasOn = isOn;
  });
  return {
    csv: [heading, ...slots.map(csvLine), ''].join('\n'),
    env: { SEALIFT_BMC_REDFISH_PORT: String(redfishPort), SEALIFT_BMC_IPMI_PORT: String(ipmiPort) },
    bootFrom: (address) => {
      server = address;
    },
    power: (hostname) => powerOf(find(hostname)),
    ran: (hostname) => find(hostname).agents.flatMap((agent) => actionsIn(agent.log())),
    async [Symbol.asyncDispose]() {
      await watching.end();
      await Promise.all(slots.flatMap(({ agents }) => agents.map((agent) => agent.kill())));
      await stopBmcs();
    },
  };
}

function csvLine({ hostname, address, mac, labels }: Slot, index: number): string {
  const fields = [hostname, address, login.username, login.password, mac, `192.0.2.${100 + index}`, '255.255.255.0'];
  return [...fields, '192.0.2.1', '192.0.2.53|192.0.2.54', labels, '/dev/sda'].join(',');
}

/** Looks at every machine again and again, each by itself. */
function watchSlots(slots: readonly Slot[], look: (slot: Slot) => Promise<void>): { end(): Promise<void> } {
  let ended = false;
  const all = slots.map(async (slot) => {
    while (!ended) {
      await look(slot);
      await sleep(LOOK_EVERY_MS);
    }
  });
  return {
    async end() {
      ended = true;
      await Promise.all(all);
    },
  };
}

interface Ports {
  redfishPort: number;
  ipmiPort: number;
}

/** What the BMC was told that its machine boots from. */
async function bootsFromNetwork({ protocol, address }: Slot, { redfishPort, ipmiPort }: Ports): Promise<boolean> {
  if (protocol === 'IPMI') {
    const connection = ['-I', 'lanplus', '-C', '3', '-H', address, '-p', String(ipmiPort), '-U', login.username, '-E'];
    const env = { IPMI_PASSWORD: login.password };
    return (await runTool('ipmitool', [...connection, 'chassis', 'bootparam', 'get', '5'], { env })).includes('PXE');
  }
  // who signed the emulators' certificate is not the question here
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const headers = { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}` };
  const get = async (path: string): Promise<unknown> =>
    (await request(`https://${address}:${redfishPort}${path}`, { dispatcher, headers })).body.json();
  try {
    const { Members } = (await get('/redfish/v1/Systems')) as { Members: { '@odata.id': string }[] };
    const { Boot } = (await get(Members[0]!['@odata.id'])) as { Boot: { BootSourceOverrideTarget: string } };
    return Boot.BootSourceOverrideTarget === 'Pxe';
  } finally {
    await dispatcher.close();
  }
}

async function boot({ mac, agents }: Slot, server: string): Promise<RunningProcess> {
  await agents.at(-1)?.kill();
  return startProcess({ command: await requireTool('tinkerbell-agent'), args: [`--server=${server}`, `--id=${mac}`] });
}

/** The agent prints each as a line. */
function actionsIn(log: string): RunAction[] {
  const lines = log.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as RunAction);
}

function runTool(
  command: string,
  args: readonly string[],
  { env = {} }: { env?: Record<string, string> },
): Promise<string> {
  return runOk(command, [...args], { env: { PATH: process.env['PATH'] ?? '', ...env } });
}
