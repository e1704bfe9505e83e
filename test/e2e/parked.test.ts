import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBundle } from '../../core/bundle/reader.ts';
import { logIn } from '../helpers/docker-config.ts';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.ts';
import { generateImage } from '../helpers/images.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { createPuller } from '../helpers/pull.ts';
import { createPusher, pushImage } from '../helpers/push.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, runSealift, startSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;
let upstream: TestRegistry;
let tar: string;
const credentials = { user: 'robot', password: 'right horse battery' };
const uploads = /\/blobs\/uploads\//;

beforeAll(async () => {
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('parked');
  upstream = await startRegistry({ kind: 'distribution' });
  const pusher = await createPusher({ url: upstream.url });
  const names = Array.from({ length: 8 }, (_, at) => `app-${at}`);
  for (const name of names) await pusher.push(name, 'v1', generateImage({ seed: name, layers: [400_000, 30_000] }));
  await pusher.close();
  tar = join(folder.path, 'bundle.tar');
  const list = await listOf(
    'all.txt',
    names.map((name) => `${name}:v1`),
  );
  await sealiftJson(home, 'export', exportOf(tar, list));
});

afterAll(async () => {
  await home?.remove();
  await Promise.all([temporal?.stop(), upstream?.stop()]);
  await folder?.remove();
});

async function listOf(name: string, references: string[]): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, references.map((reference) => `images.test/${reference}\n`).join(''));
  return path;
}

function exportOf(output: string, list: string, ...options: string[]): string[] {
  const pullFrom = ['--pull-from', `images.test=${upstream.url}`];
  return ['export', 'artifacts', '--output', output, '-f', list, ...pullFrom, ...options];
}

function importInto(host: string, ...options: string[]): string[] {
  return ['import', 'artifacts', '--input', tar, '--registry', host, ...options];
}

interface Parked {
  operation: string;
  parked: { item: string; type: string; subject: string; remedy: string }[];
}

async function parks(args: string[]): Promise<Parked> {
  return (await sealiftJson(home, 'parked', args, { code: 5 })) as unknown as Parked;
}

describe('a wrong password', () => {
  it('parks the import, is described, and retry finishes after it was mended', async () => {
    await using registry = await startRegistry({ kind: 'distribution', htpasswd: credentials });
    await logIn(home, { [registry.host]: { ...credentials, password: 'wrong' } });
    const { operation, parked } = await parks(importInto(registry.host));
    expect(parked.length).toBeGreaterThan(0);
    for (const item of parked) expect(item).toMatchObject({ type: 'RegistryUnauthorized', side: 'destination' });

    const text = await runSealift(['describe', operation], { home });
    expect(text.stdout).toMatch(/Status: +parked/);
    expect(text.stdout).toContain('RegistryUnauthorized');
    expect(text.stdout).toContain(registry.host);
    expect(text.stdout).toContain(join(home.path, '.docker', 'config.json'));
    expect(text.stdout).toContain(`sealift retry ${operation}`);
    const described = await sealiftJson(home, 'operation', ['describe', operation]);
    expect(described).toMatchObject({ status: 'parked', state: { parkedCount: parked.length } });
    const { operations } = (await sealiftJson(home, 'operations', ['list', 'operations'])) as {
      operations: { operation: string; status: string }[];
    };
    expect(operations.find((one) => one.operation === operation)).toMatchObject({ status: 'parked' });

    await logIn(home, { [registry.host]: credentials });
    const done = await sealiftJson(home, 'import', ['retry', operation]);
    expect(done).toMatchObject({ kind: 'import', images: 8, skipped: [] });
    const after = await sealiftJson(home, 'operation', ['describe', operation]);
    expect(after).toMatchObject({ status: 'completed', result: { images: 8 } });
    await sealiftJson(home, 'verify', ['verify', 'artifacts', '--input', tar, '--registry', registry.host]);
  });

  it('ends with the code of bad credentials when nobody is there to mend it', async () => {
    await using registry = await startRegistry({ kind: 'distribution', htpasswd: credentials });
    await logIn(home, { [registry.host]: { ...credentials, password: 'wrong' } });
    const args = importInto(registry.host, '--on-failure', 'fail');
    const failed = await sealiftJson(home, 'failure', args, { code: 3 });
    expect(failed['problems']).toContainEqual(expect.objectContaining({ type: 'RegistryUnauthorized' }));
  });
});

describe('credentials that end in mid-import', () => {
  it('park it, and nothing that was sent is sent again', async () => {
    await using straightRegistry = await startRegistry({ kind: 'distribution' });
    await using straight = await startFaultProxy(straightRegistry.url);
    await sealiftJson(home, 'import', importInto(straight.host));
    const needed = straight.traffic({ path: uploads }).up;
    expect(needed).toBeGreaterThan(8 * 400_000);

    await using registry = await startRegistry({ kind: 'distribution' });
    const slow = { kind: 'slow', direction: 'up', bytesPerSecond: 1_000_000 } as const;
    await using proxy = await startFaultProxy(registry.url, [
      { name: 'slow', path: uploads, times: Infinity, fault: slow },
    ]);
    const running = startSealift([...importInto(proxy.host), '--output-format', 'json'], { home });
    await sentAtLeast(proxy, needed / 3, running.done);
    const headers = { 'www-authenticate': 'Basic realm="expired"' };
    proxy.add({ name: 'expired', path: uploads, times: Infinity, fault: { kind: 'status', status: 401, headers } });
    const { code, stdout, stderr } = await running.done;
    expect(code, stderr + stdout).toBe(5);
    const { operation, parked } = parseOutput('parked', stdout) as unknown as Parked;
    expect(parked.every(({ type }) => type === 'RegistryUnauthorized')).toBe(true);

    proxy.clear();
    const sent = proxy.traffic({ path: uploads }).up;
    await sealiftJson(home, 'import', ['retry', operation]);
    expect(sent).toBeLessThan(needed);
    expect(proxy.traffic({ path: uploads }).up, `sent before it was parked: ${sent}`).toBe(needed);
    await sealiftJson(home, 'verify', ['verify', 'artifacts', '--input', tar, '--registry', registry.host]);
  });
});

async function sentAtLeast(proxy: FaultProxy, bytes: number, ended: Promise<unknown>): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  while (!over && proxy.uploaded() < bytes) await sleep(5);
  if (over) throw new Error(`the import ended before ${bytes} bytes were sent`);
}

describe('a missing tag', () => {
  it('can be skipped: result and bill of materials say so', async () => {
    const list = await listOf('skip.txt', ['app-0:v1', 'absent:v9', 'app-1:v1']);
    const output = join(folder.path, 'skip.tar');
    const { operation, parked } = await parks(exportOf(output, list));
    expect(parked).toEqual([
      expect.objectContaining({ item: 'images.test/absent:v9', type: 'ManifestMissing', side: 'source' }),
    ]);
    expect(existsSync(output)).toBe(false);
    const wrong = await sealiftJson(home, 'failure', ['skip', operation, '--item', 'nonsense'], { code: 2 });
    expect(JSON.stringify(wrong)).toContain('nonsense');
    const skipped = [{ reference: 'images.test/absent:v9', reason: 'skipped by the operator' }];
    const result = await sealiftJson(home, 'export', ['skip', operation, '--item', 'images.test/absent:v9']);
    expect(result).toMatchObject({ images: 2, skipped });
    const bundle = await openBundle(output);
    expect(bundle.billOfMaterials).toMatchObject({ skipped });
    expect(bundle.billOfMaterials.items.map(({ name }) => name).sort()).toEqual(['app-0', 'app-1']);
    await bundle.close();
  });

  it('is there after a retry when it was pushed meanwhile', async () => {
    const list = await listOf('late.txt', ['app-0:v1', 'late:v1']);
    const output = join(folder.path, 'late.tar');
    const { operation } = await parks(exportOf(output, list));
    await pushImage(upstream.url, 'late', 'v1', generateImage({ seed: 'late', layers: [100] }));
    expect(await sealiftJson(home, 'export', ['retry', operation])).toMatchObject({ images: 2, skipped: [] });
  });

  it('can be the end of it with abort, and the same command begins anew', async () => {
    const list = await listOf('abort.txt', ['app-0:v1', 'never:v1']);
    const output = join(folder.path, 'abort.tar');
    const { operation } = await parks(exportOf(output, list));
    const aborted = await sealiftJson(home, 'decision', ['abort', operation]);
    expect(aborted).toMatchObject({ operation, status: 'aborted' });
    expect(existsSync(output)).toBe(false);
    const described = await sealiftJson(home, 'operation', ['describe', operation]);
    expect(described['problems']).toContainEqual(expect.objectContaining({ item: 'images.test/never:v1' }));
    const watched = await sealiftJson(home, 'failure', ['watch', operation], { code: 5 });
    expect(watched['problems']).not.toEqual([]);
    const late = await sealiftJson(home, 'failure', ['retry', operation], { code: 2 });
    expect(JSON.stringify(late)).toContain('has ended');
    await pushImage(upstream.url, 'never', 'v1', generateImage({ seed: 'never', layers: [100] }));
    expect(await sealiftJson(home, 'export', exportOf(output, list))).toMatchObject({ images: 2 });
  });

  it('fails at once with --on-failure fail, and everything that is wrong is named', async () => {
    const list = await listOf('fail.txt', ['gone-1:v1', 'app-0:v1', 'gone-2:v1']);
    const output = join(folder.path, 'fail.tar');
    const failed = await sealiftJson(home, 'failure', exportOf(output, list, '--on-failure', 'fail'), { code: 5 });
    const items = (failed['problems'] as { item: string }[]).map(({ item }) => item);
    expect(items.sort()).toEqual(['images.test/gone-1:v1', 'images.test/gone-2:v1']);
    expect(existsSync(output)).toBe(false);
  });
});

describe('what an import lacks', () => {
  it('can be skipped too', async () => {
    await using registry = await startRegistry({ kind: 'distribution' });
    const denied = { kind: 'status', status: 403, body: '{"errors":[{"code":"DENIED"}]}' } as const;
    await using proxy = await startFaultProxy(registry.url, [
      { name: 'denied', method: 'POST', path: /\/v2\/app-3\/blobs\/uploads/, times: Infinity, fault: denied },
    ]);
    const { operation, parked } = await parks(importInto(proxy.host));
    expect(parked).toEqual([expect.objectContaining({ type: 'RegistryForbidden', item: 'app-3' })]);
    const result = await sealiftJson(home, 'import', ['skip', operation]);
    expect((result['skipped'] as { reference: string }[]).map(({ reference }) => reference)).toEqual([
      'images.test/app-3:v1',
    ]);
    await using puller = createPuller(registry.url);
    await puller.whole('app-2', 'v1');
    await expect(puller.manifest('app-3', 'v1')).rejects.toThrow('404');
  });
});
