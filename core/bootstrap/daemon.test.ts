import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptsConnections, freePort } from '../server/free-port.ts';
import {
  daemonLives,
  daemonPid,
  daemonServes,
  logPath,
  onFreePorts,
  startDaemon,
  stopDaemon,
  type DaemonStart,
} from './daemon.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-daemon-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A shell script that is ready as soon as it has made a file named after it. */
async function script(name: string, text: string): Promise<DaemonStart> {
  const file = join(folder, `${name}.sh`);
  await writeFile(file, text);
  const ready = (): Promise<boolean> => access(join(folder, `${name}.ready`)).then(() => true);
  return { name, folder, command: '/bin/sh', args: [file], env: { PATH: process.env['PATH'] ?? '' }, ready };
}

const starts = async (daemon: DaemonStart): Promise<number> =>
  (await readFile(logPath(daemon), 'utf8')).split('\n').filter((line) => line === 'start').length;

describe('a program in the background', () => {
  it('is started again when it ends before it is ready', async () => {
    const daemon = await script(
      'second',
      'echo start\nif [ ! -e second.once ]; then touch second.once; echo "error: leader election lost"; exit 1; fi\ntouch second.ready; exec sleep 600\n',
    );
    await startDaemon(daemon);
    expect(await starts(daemon)).toBe(2);
    expect(await stopDaemon(daemon)).toBe(true);
    expect(await daemonLives(daemon)).toBe(false);
  });

  it('is given up when it ends again and again', async () => {
    const daemon = await script('never', 'echo start\necho "error: no such flag"\nexit 1\n');
    await expect(startDaemon(daemon)).rejects.toMatchObject({
      type: 'ToolFailed',
      problem: { message: 'it ended at once: error: no such flag' },
    });
    expect(await starts(daemon)).toBe(3);
  });

  it('is not started again on a port that somebody else has', async () => {
    const daemon = await script('taken', 'echo start\necho "error: bind: address already in use"\nexit 1\n');
    await expect(startDaemon(daemon)).rejects.toThrow('address already in use');
    expect(await starts(daemon)).toBe(1);
  });

  it('does not serve from the moment on that it is killed, though its port may still answer', async () => {
    const port = await freePort();
    // memory takes time to give back
    const listen = `globalThis.kept = Buffer.alloc(2e8, 1); require('net').createServer().listen(${port}, '127.0.0.1')`;
    const ready = (): Promise<boolean> => acceptsConnections(port);
    const daemon = { name: 'killed', folder, command: process.execPath, args: ['-e', listen], env: {}, ready };
    for (let round = 0; round < 10; round += 1) {
      await startDaemon(daemon);
      expect(await daemonServes(daemon)).toBe(true);
      process.kill((await daemonPid(daemon))!, 'SIGKILL');
      expect(await daemonServes(daemon)).toBe(false);
      await stopDaemon(daemon);
    }
  });

  it('is started on another port when somebody was quicker on the first', async () => {
    const intruder = createServer();
    await new Promise<void>((resolve) => intruder.listen(0, '127.0.0.1', resolve));
    const { port: taken } = intruder.address() as AddressInfo;
    const ports = [taken, taken, await freePort()];
    const daemon = { name: 'third', folder };
    const tried: number[] = [];
    const attempt = async (): Promise<number> => {
      const port = ports[tried.length]!;
      tried.push(port);
      const fail = `(error) => { console.log('error: ' + error.message); process.exit(1); }`;
      const listen = `require('net').createServer().on('error', ${fail}).listen(${port}, '127.0.0.1')`;
      const ready = (): Promise<boolean> => acceptsConnections(port).then((there) => there && port !== taken);
      await startDaemon({ ...daemon, command: process.execPath, args: ['-e', listen], env: {}, ready });
      return port;
    };
    try {
      expect(await onFreePorts(daemon, attempt)).toBe(ports[2]);
      expect(tried).toEqual(ports);
    } finally {
      await stopDaemon(daemon);
      intruder.close();
    }
  });
});
