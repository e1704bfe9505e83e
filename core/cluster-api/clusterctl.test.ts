import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeKubeconfig } from '../bootstrap/kubeconfig-file.ts';
import { createAuthority } from '../bootstrap/certificates.ts';
import { daemonLives, recordedCommand } from '../bootstrap/daemon.ts';
import { freePort } from '../server/free-port.ts';
import { createClusterctl } from './clusterctl.ts';
import { writeRepository } from './repository.ts';

const command = fileURLToPath(new URL('../../.cache/bin/clusterctl', import.meta.url));

let folder: string;
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-clusterctl-'));
  config = await writeRepository(folder, { providers: [], certManager: 'none', rewriteImage: (image) => image });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const unreachable = async (): Promise<string> => kubeconfigTo(await freePort());

async function kubeconfigTo(port: number): Promise<string> {
  const { certificate, key } = await createAuthority('nobody');
  const path = join(folder, 'kubeconfig');
  const server = `https://127.0.0.1:${port}`;
  await writeKubeconfig(path, { name: 'none', server, ca: certificate, user: { certificate, key } });
  return path;
}

describe('clusterctl', () => {
  it('says what the real program said last, in one line, and is tried again while an API server is away', async () => {
    const kubeconfig = await unreachable();
    const clusterctl = createClusterctl({ command, config, home: join(folder, 'home') });
    const moving = clusterctl.move({ from: kubeconfig, to: kubeconfig, namespace: 'default' });
    await expect(moving).rejects.toMatchObject({
      type: 'ClusterUnreachable',
      problem: { operation: 'move clusters', message: expect.stringMatching(/^clusterctl said: .*refused$/) as string },
    });
  });

  it('is not tried again when it refuses', async () => {
    const clusterctl = createClusterctl({ command, config, home: join(folder, 'home') });
    const moving = clusterctl.move({ from: join(folder, 'absent'), to: '', namespace: 'default' });
    await expect(moving).rejects.toMatchObject({ type: 'ToolFailed', disposition: 'mendable' });
  });

  it('ends a run that a killed process has left behind', async () => {
    const home = join(folder, 'left');
    await mkdir(home);
    const daemon = { name: 'clusterctl', folder: home };
    const left = spawn(...recordedCommand(daemon, '/bin/sleep', ['600']), { detached: true, stdio: 'ignore' });
    const ended = new Promise((resolve) => left.once('exit', (_code, signal) => resolve(signal)));
    await expect.poll(() => daemonLives(daemon)).toBe(true);
    await createClusterctl({ command, config, home }).endLeftBehind();
    expect(await ended).toBe('SIGTERM');
    expect(await daemonLives(daemon)).toBe(false);
  });

  it('does nothing any more once it was told to end', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    const asked = once(silent, 'connection');
    await once(silent, 'listening');
    const kubeconfig = await kubeconfigTo((silent.address() as AddressInfo).port);
    const home = join(folder, 'ended');
    const told = new AbortController();
    const moving = createClusterctl({ command, config, home }).move({
      ...{ from: kubeconfig, to: kubeconfig, namespace: 'default', signal: told.signal },
    });
    const [connection] = (await asked) as [Socket];
    told.abort(new Error('the source was lost'));
    await expect(moving).rejects.toThrow('the source was lost');
    expect(await daemonLives({ name: 'clusterctl', folder: home })).toBe(false);
    connection.destroy();
    silent.close();
  });

  it('keeps the values of variables out of what it says', async () => {
    const kubeconfig = await unreachable();
    const variables = { PASSWORD: 'connection refused' };
    const clusterctl = createClusterctl({ command, config, home: join(folder, 'home'), variables });
    const moving = clusterctl.saveTo({ from: kubeconfig, directory: join(folder, 'saved'), namespace: 'default' });
    await expect(moving).rejects.toThrow(/\*\*\*/);
    await expect(moving).rejects.not.toThrow(/connection refused/);
  });

  it('names the program when it is missing', async () => {
    const clusterctl = createClusterctl({ command: '/nonexistent/clusterctl', config, home: join(folder, 'home') });
    const moving = clusterctl.move({ from: 'a', to: 'b', namespace: 'default' });
    await expect(moving).rejects.toMatchObject({
      type: 'ToolMissing',
      problem: { subject: '/nonexistent/clusterctl' },
    });
  });
});
