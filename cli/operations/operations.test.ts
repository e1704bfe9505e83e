import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client, Connection } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import type { RunningWorker, SealiftHost, TemporalTarget } from '../../contracts/host.ts';
import type { ActivityProgress, ExportArtifactsResult, ImportArtifactsResult } from '../../contracts/operations.ts';
import { createEmbeddedServer } from '../../core/server/embedded-server.ts';
import { hostPaths } from '../../core/host/paths.ts';
import { fakeHost, quietWorkers, recordedTerminal, type RecordedTerminal } from '../../test/helpers/command-line.ts';
import { parseOutput } from '../../test/helpers/output-schema.ts';
import { projectRoot, temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { activityFailure, workerWithFakes, type FakeActivities } from '../../test/helpers/worker-with-fakes.ts';
import { main } from '../main.ts';

const hostQueue = 'sealift-host-0123456789ab';
const digest = `sha256:${'d'.repeat(64)}` as const;
const server = (home: string) => createEmbeddedServer({ paths: hostPaths({ HOME: home }), toolsRoot: projectRoot });

let home: TemporaryFolder;
let target: TemporalTarget;
let client: Client;
let folder: TemporaryFolder;
let calls: string[];
let activities: FakeActivities;
/** lets a blocked `fetchBlobs` end */
let release: () => void;
let released: Promise<void>;

beforeAll(async () => {
  home = await temporaryFolder('operations');
  const { address, namespace } = await server(home.path).ensure(() => undefined);
  target = { address, namespace };
  client = new Client({ connection: await Connection.connect({ address }), namespace });
});
afterAll(async () => {
  await client.connection.close();
  await server(home.path).stop();
  await home.remove();
});

beforeEach(async () => {
  folder = await temporaryFolder('export');
  await writeFile(join(folder.path, 'images.txt'), 'r.example/a:1\n');
  calls = [];
  released = new Promise((resolve) => (release = resolve));
  activities = exportActivities();
});
afterEach(async () => {
  release();
  await folder.remove();
});

function exportActivities(): FakeActivities {
  const called = (name: string) => calls.push(name);
  return {
    listContents: () => Promise.resolve(called('listContents')).then(() => ({ items: 1 })),
    planBundle: ({ skip }: { skip: string[] }) =>
      Promise.resolve({
        planDigest: digest,
        batches: [{ index: 0, items: 1, bytes: 5 }],
        blobs: 1,
        bytes: 5,
        skipped: skip.length,
      }),
    fetchBlobs: () => Promise.resolve(called('fetchBlobs')),
    sealBundle: async ({ input }: { input: { output: string } }): Promise<ExportArtifactsResult> => {
      await writeFile(input.output, '12345');
      const counts = { size: 5, images: 1, charts: 0, files: 0, blobs: 1, bytesFetched: 5, bytesReused: 0 };
      return { kind: 'export', output: input.output, digest, ...counts, skipped: [], warnings: ['look here'] };
    },
    discardExport: () => Promise.resolve(called('discardExport')).then(() => undefined),
  };
}

/** Blocks until released, showing progress and obeying cancellation as the real one does. */
async function blockedFetch(): Promise<void> {
  const progress: ActivityProgress = {
    bytesDone: 2,
    bytesTotal: 5,
    itemsDone: 0,
    itemsTotal: 1,
    current: [{ subject: 'a', done: 2, total: 5 }],
  };
  calls.push('blocked');
  Context.current().heartbeat(progress);
  const beat = setInterval(() => Context.current().heartbeat(progress), 200);
  await Promise.race([released, Context.current().cancelled]).finally(() => clearInterval(beat));
}

function machine(workers: Partial<SealiftHost['workers']> = {}): SealiftHost {
  return fakeHost({
    server: server(home.path),
    workers: quietWorkers({
      start: () => workerWithFakes({ target, hostQueue, identity: 'command', activities }),
      ...workers,
    }),
    sources: {
      names: () => Promise.resolve([{ name: 'images', summary: '', selections: [] }]),
      detect: () => Promise.resolve('images'),
    },
    bundles: {
      inspect: () =>
        Promise.resolve({
          digest,
          size: 5,
          billOfMaterials: { schemaVersion: 1, sources: [], platforms: [], items: [], skipped: [] },
        }),
    },
  });
}

function start(argv: string[], host = machine()): { terminal: RecordedTerminal; code: Promise<number> } {
  const terminal = recordedTerminal({ env: { HOME: home.path }, cwd: folder.path });
  return { terminal, code: main(argv, () => host, terminal) };
}

async function run(argv: string[], host = machine()) {
  const { terminal, code } = start(argv, host);
  return { code: await code, out: terminal.out(), err: terminal.err() };
}

const exporting = ['export', 'artifacts', '-f', 'images.txt', '--output', 'a.tar'];
const json = ['--output-format', 'json'];

/** Waits for something that another process or thread is about to do. */
async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await check()).toBe(true), { timeout: 30_000, interval: 50 });
}

async function idOf(text: string): Promise<string> {
  const id = /export\/a\.tar-[0-9a-f]{8}/.exec(text)?.[0];
  if (id === undefined) throw new Error(`no id in: ${text}`);
  return id;
}

describe('an export', () => {
  it('runs to its end, is told again without a run, and refuses to write over something else', async () => {
    const first = await run(exporting);
    expect(first.code).toBe(0);
    expect(first.out).toContain('Exported 1 image, 0 charts, 0 files');
    expect(first.out).toContain('Warning: look here');
    expect(first.err).toMatch(
      /Temporal UI: http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\/export%2Fa\.tar-[0-9a-f]{8}\/.*\/history/,
    );

    const again = await run([...exporting, ...json, '--concurrency', '9']);
    expect(again.code).toBe(0);
    expect(parseOutput('export', again.out)).toMatchObject({ digest, size: 5 });
    expect(again.err).toContain('is done already');
    expect(calls.filter((name) => name === 'listContents')).toHaveLength(1);

    await writeFile(join(folder.path, 'images.txt'), 'r.example/b:1\n');
    const other = await run([...exporting, ...json]);
    expect(other.code).toBe(2);
    expect(parseOutput('failure', other.out)).toMatchObject({ problems: [{ type: 'OutputExists' }] });

    expect((await run([...exporting, '--force'])).code).toBe(0);
    expect(calls.filter((name) => name === 'listContents')).toHaveLength(2);
  });

  it('parks, is described without a worker, and goes on after retry', async () => {
    activities.fetchBlobs = () => Promise.reject(activityFailure('RegistryUnauthorized', 'r.example/a', 'log in'));
    const parked = await run([...exporting, ...json]);
    expect(parked.code).toBe(5);
    expect(parked.err).toContain('remedy: log in');
    const { operation } = parseOutput('parked', parked.out) as { operation: string };
    expect(parked.err).toContain(`sealift retry ${operation}`);
    expect(parked.err).toContain(`sealift skip ${operation} [--item ITEM]`);

    const noWorkers = machine({ start: () => Promise.reject(new Error('no worker is needed')) });
    const described = await run(['describe', operation], noWorkers);
    expect(described.code).toBe(0);
    expect(described.out).toMatch(/Status:\s+parked/);
    expect(described.out).toContain('remedy: log in');
    parseOutput('operation', (await run(['describe', operation, ...json], noWorkers)).out);
    await eventually(async () => {
      const { operations } = parseOutput('operations', (await run(['list', 'operations', ...json], noWorkers)).out) as {
        operations: { operation: string; status: string }[];
      };
      return operations.some((listed) => listed.operation === operation && listed.status === 'parked');
    });

    const refused = await run(['retry', operation, '--item', 'nonsense']);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('not parked: nonsense');

    activities.fetchBlobs = () => Promise.resolve();
    const retried = await run(['retry', operation.slice(0, -1)]);
    expect(retried.code).toBe(0);
    expect(retried.out).toContain('Exported 1 image');

    const over = await run(['skip', operation]);
    expect(over.code).toBe(2);
    expect(over.err).toContain('the operation has ended');
    expect((await run(['describe', operation], noWorkers)).out).toMatch(/Status:\s+completed[^]*Exported 1 image/);
  });

  it('can go on without what is wrong, or be given up', async () => {
    activities.fetchBlobs = ({ skip }: { skip: string[] }) =>
      skip.includes('r.example/a')
        ? Promise.resolve()
        : Promise.reject(activityFailure('ManifestMissing', 'r.example/a', 'look'));
    const id = await idOf((await run(exporting)).err);
    expect((await run(['skip', id, '--item', 'r.example/a'])).code).toBe(0);

    const second = ['export', 'artifacts', '-f', 'images.txt', '--output', 'b.tar'];
    const parked = await run([...second, ...json]);
    const { operation } = parseOutput('parked', parked.out) as { operation: string };
    const aborted = await run(['abort', operation, ...json]);
    expect(aborted.code).toBe(0);
    expect(parseOutput('decision', aborted.out)).toMatchObject({ operation, status: 'aborted' });
    const watched = await run(['watch', operation]);
    expect(watched.code).toBe(5);
    expect(watched.err).toContain('ManifestMissing');
  });

  it.each([
    ['a permanent failure', [], 'DigestMismatch', 4],
    ['a mendable one with --on-failure fail', ['--on-failure', 'fail'], 'RegistryUnauthorized', 3],
  ] as const)('ends with the code of %s', async (_name, more, type, code) => {
    activities.fetchBlobs = () => Promise.reject(activityFailure(type, 'r.example/a', ''));
    const failed = await run([...exporting, ...more, ...json]);
    expect(failed.code).toBe(code);
    expect(parseOutput('failure', failed.out)).toMatchObject({ exitCode: code, problems: [{ type }] });
    const id = await idOf(failed.err);
    expect((await run(['describe', id])).out).toContain(type);
  });

  it('is left with Ctrl-C, refuses other input meanwhile, and is attached to by the same command', async () => {
    activities.fetchBlobs = blockedFetch;
    const first = start([...exporting, ...json]);
    await eventually(() => first.terminal.err().includes('40% 2 B of 5 B'));
    first.terminal.interrupt();
    expect(await first.code).toBe(130);
    const id = await idOf(first.terminal.err());
    expect(first.terminal.err()).toContain(`Come back with: sealift watch ${id}`);
    expect(first.terminal.err()).toContain('It waits');
    parseOutput('detached', first.terminal.out());

    const conflict = await run([...exporting, '--platform', 'linux/arm64']);
    expect(conflict.code).toBe(2);
    expect(conflict.err).toContain('OperationConflict');

    const again = start(exporting);
    await eventually(() => calls.filter((name) => name === 'blocked').length === 2);
    release();
    expect(await again.code).toBe(0);
    expect(again.terminal.err()).toContain('Attached to');
    expect(calls.filter((name) => name === 'listContents')).toHaveLength(1);
  });

  it('ends at once at the second Ctrl-C', async () => {
    activities.fetchBlobs = blockedFetch;
    const { terminal, code } = start(exporting);
    await eventually(() => calls.includes('blocked'));
    terminal.interrupt();
    terminal.interrupt();
    expect(terminal.exits).toEqual([130]);
    await code;
    await client.workflow.getHandle(await idOf(terminal.err())).terminate();
  });

  it('is cancelled, and the clean-up is waited for', async () => {
    activities.fetchBlobs = blockedFetch;
    const watching = start(exporting);
    await eventually(() => calls.includes('blocked'));
    const id = await idOf(watching.terminal.err());
    const cancelled = await run(['cancel', id, ...json]);
    expect(cancelled.code).toBe(0);
    expect(parseOutput('decision', cancelled.out)).toMatchObject({ status: 'cancelled' });
    expect(calls).toContain('discardExport');
    expect(await watching.code).toBe(5);
    expect(watching.terminal.err()).toContain('the operation was cancelled');
  });

  it('rests while it is paused', async () => {
    activities.fetchBlobs = blockedFetch;
    const watching = start(exporting);
    await eventually(() => calls.includes('blocked'));
    const id = await idOf(watching.terminal.err());
    parseOutput('decision', (await run(['pause', id, ...json])).out);
    await eventually(async () => (await run(['describe', id])).out.includes('paused'));
    release();
    expect((await run(['resume', id])).code).toBe(0);
    expect(await watching.code).toBe(0);
  });

  it('does not wait for a worker that was killed', async () => {
    activities.fetchBlobs = blockedFetch;
    const dead = await workerWithFakes({ target, hostQueue, identity: 'dead', activities, graceMs: 600_000 });
    const first = start(
      exporting,
      machine({ start: () => Promise.resolve({ ...dead, stop: () => Promise.resolve() }) }),
    );
    await eventually(() => calls.includes('blocked'));
    first.terminal.interrupt();
    expect(await first.code).toBe(130);
    // polls no more, but its attempt stays: as a kill leaves it
    const stopped = dead.stop();

    activities = { ...activities, fetchBlobs: () => Promise.resolve() };
    const again = await run(exporting, machine({ isDead: (identity) => Promise.resolve(identity === 'dead') }));
    expect(again.code).toBe(0);
    release();
    await stopped;
  });

  it('is left to a worker in the background with --detach', async () => {
    const spawned: number[] = [];
    let background: RunningWorker | undefined;
    const host = machine({
      start: () => Promise.reject(new Error('none may run in the command')),
      spawn: async (place, idleSeconds) => {
        spawned.push(idleSeconds);
        background = await workerWithFakes({ target: place, hostQueue, identity: 'background', activities });
        return { pid: 1, identity: 'background', target };
      },
      running: () => Promise.resolve(background === undefined ? [] : [{ pid: 1, identity: 'background', target }]),
    });
    const detached = await run([...exporting, '--detach', ...json], host);
    expect(detached.code).toBe(0);
    const { operation } = parseOutput('detached', detached.out) as { operation: string };
    expect(spawned).toEqual([60]);
    expect((await run(['watch', operation], host)).code).toBe(0);
    await background?.stop();
  });
});

describe('an import', () => {
  it('prints the configuration to paste, and runs again when asked again', async () => {
    const counts = {
      images: 1,
      charts: 0,
      files: 0,
      blobs: 1,
      bytesPushed: 5,
      bytesReused: 0,
      tagsWritten: 1,
      tagsUnchanged: 0,
    };
    activities = {
      openBundle: () => Promise.resolve(calls.push('openBundle')).then(() => ({ items: 1 })),
      checkDestination: () => Promise.resolve({ uploads: [], publishes: [], bytes: 0, blobs: 0 }),
      finishImport: (): Promise<ImportArtifactsResult> =>
        Promise.resolve({
          ...{ kind: 'import', registry: 'r.example/m', bundle: digest, ...counts },
          ...{
            skipped: [],
            warnings: [],
            registryMirrorConfiguration: 'registryMirrorConfiguration:\n  endpoint: r.example\n',
          },
        }),
    };
    const importing = ['import', 'artifacts', '--input', 'a.tar', '--registry', 'r.example/m'];
    const first = await run(importing);
    expect(first.code).toBe(0);
    expect(first.err).toContain(`Started import/${'d'.repeat(12)}/r.example/m.`);
    expect(first.out).toContain('endpoint: r.example');
    const second = await run([...importing, ...json]);
    expect(parseOutput('import', second.out)).toMatchObject({ registry: 'r.example/m', bytesPushed: 5 });
    expect(calls).toEqual(['openBundle', 'openBundle']);
  });
});

describe('finding operations', () => {
  it('names the candidates of a prefix that several have, and says when there is none', async () => {
    await run(exporting);
    await run(['export', 'artifacts', '-f', 'images.txt', '--output', 'c.tar']);
    await eventually(async () => (await run(['describe', 'export/'])).err.includes('operations begin so: export/'));
    const none = await run(['describe', 'nothing']);
    expect(none.code).toBe(2);
    expect(none.err).toContain('OperationNotFound');
  });
});

describe('worker', () => {
  it('ends when it is idle, and at Ctrl-C', async () => {
    const running = (await client.workflow.count("ExecutionStatus = 'Running'")).count;
    expect(running).toBe(0);
    const idle = await run(['worker', '--idle-exit', '1']);
    expect(idle.code).toBe(0);
    expect(idle.err).toContain('No work; ending.');

    const { terminal, code } = start(['worker']);
    await eventually(() => terminal.err().includes('Ctrl-C ends it'));
    terminal.interrupt();
    expect(await code).toBe(0);
  });
});

describe('a Temporal that cannot be reached', () => {
  it('ends with 6', async () => {
    const terminal = recordedTerminal({ env: { HOME: home.path, TEMPORAL_ADDRESS: '127.0.0.1:1' }, cwd: folder.path });
    expect(await main(['list', 'operations'], () => machine(), terminal)).toBe(6);
    expect(terminal.err()).toContain('TEMPORAL_ADDRESS');
  });
});
