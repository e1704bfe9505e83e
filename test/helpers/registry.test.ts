import { existsSync } from 'node:fs';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { generateCertificates } from './certificates.ts';
import { generateImage } from './images.ts';
import { findTool, temporaryFolder } from './paths.ts';
import { startProcess } from './processes.ts';
import { authorizationOf, pushImage } from './push.ts';
import { registryUnavailable, startRegistry, type RegistryKind } from './registry.ts';

const image = generateImage({ seed: 'registry test', layers: [5_000, 10], platforms: ['linux/amd64', 'linux/arm64'] });

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const { statusCode, body } = await request(url, { headers: { accept: image.root.mediaType, ...headers } });
  await body.dump();
  return statusCode;
}

describe('startRegistry', () => {
  it.each<RegistryKind>(['distribution', 'distribution-v2', 'olareg'])(
    '%s keeps what was pushed over a restart',
    async (kind) => {
      const reason = await registryUnavailable(kind);
      if (reason !== undefined) {
        expect(reason).toMatch(/make setup|apt-get install/);
        return;
      }
      await using registry = await startRegistry({ kind });
      await pushImage(registry.url, 'some/where', 'v1', image);
      await registry.restart({ signal: 'SIGKILL' });
      expect(await statusOf(`${registry.url}/v2/some/where/manifests/v1`)).toBe(200);
      await registry.restart({ empty: true });
      expect(await statusOf(`${registry.url}/v2/some/where/manifests/v1`)).toBe(404);
    },
  );

  it('leaves no process and no folder behind', async () => {
    const registry = await startRegistry({ kind: 'distribution' });
    await registry.stop();
    expect(existsSync(`/proc/${registry.pid()}`)).toBe(false);
    expect(existsSync(registry.dir)).toBe(false);
  });

  it('asks for the password it was given', async () => {
    const credentials = { user: 'robot', password: 'correct horse' };
    await using registry = await startRegistry({ kind: 'distribution', htpasswd: credentials });
    const wrong = authorizationOf({ user: 'robot', password: 'wrong' });
    expect(await statusOf(`${registry.url}/v2/`)).toBe(401);
    expect(await statusOf(`${registry.url}/v2/`, wrong)).toBe(401);
    expect(await statusOf(`${registry.url}/v2/`, authorizationOf(credentials))).toBe(200);
  });

  it('speaks TLS with a generated authority', async () => {
    await using folder = await temporaryFolder('tls');
    const tls = await generateCertificates(folder.path);
    await using registry = await startRegistry({ kind: 'distribution', tls });
    await pushImage({ url: registry.url, ca: tls.ca }, 'a', 'v1', image);
    await expect(statusOf(`${registry.url}/v2/`)).rejects.toThrow(/certificate/);
  });

  it('refuses writes when it is read-only', async () => {
    await using registry = await startRegistry({ kind: 'distribution', readOnly: true });
    await expect(pushImage(registry.url, 'a', 'v1', image)).rejects.toThrow('405');
  });
});

describe('startProcess', () => {
  it('shows the output of a process that ends before it is ready', async () => {
    const command = (await findTool('sh')) ?? 'sh';
    const started = startProcess({
      command,
      args: ['-c', 'echo no luck; exit 3'],
      ready: () => Promise.resolve(false),
    });
    await expect(started).rejects.toThrow(/ended with 3[^]*no luck/);
  });
});
