import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
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

async function unreachable(): Promise<string> {
  const { certificate, key } = await createAuthority('nobody');
  const path = join(folder, 'kubeconfig');
  const server = `https://127.0.0.1:${await freePort()}`;
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
