import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startFaultProxy } from '../helpers/fault-proxy.ts';
import { startFileServer, type FileServer } from '../helpers/file-server.ts';
import { generateImage } from '../helpers/images.ts';
import { parseOutput } from '../helpers/output-schema.ts';
import { findTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk, type Finished } from '../helpers/processes.ts';
import { createPuller } from '../helpers/pull.ts';
import { pushImage } from '../helpers/push.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, runSealift, startSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { smallBundles } from '../helpers/small-bundles.ts';
import { fillFromBundles, type FilledUpstream } from '../helpers/upstream.ts';

// The commands as a person types them, against the embedded server that they start.

let home: SealiftHome;
let folder: TemporaryFolder;
let upstream: TestRegistry;
let files: FileServer;
let filled: FilledUpstream;
let manifest: string;
let list: string;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  home = await createSealiftHome();
  folder = await temporaryFolder('commands');
  upstream = await startRegistry({ kind: 'distribution' });
  // the deprecated commands have no --pull-from: their manifest names this machine
  files = await startFileServer(at('served'));
  const bundles = smallBundles
    .replaceAll('public.ecr.aws', upstream.host)
    .replaceAll(/https:\/\/(release-bucket|distro\.eks\.amazonaws\.com)/g, files.url);
  filled = await fillFromBundles(bundles, { registry: upstream.url, filesFolder: at('files') });
  await symlink(at(`files/${files.host}`), at('served'));
  manifest = at('bundles.yaml');
  await writeFile(manifest, filled.bundlesYaml);
  await pushImage(upstream.url, 'app', 'v1', generateImage({ seed: 'app', layers: [3_000_000, 500] }));
  list = at('images.txt');
  await writeFile(list, `${upstream.host}/app:v1\n`);
});

afterAll(async () => {
  await home?.remove();
  await Promise.all([upstream?.stop(), files?.stop()]);
  await folder?.remove();
});

function sealift(...args: string[]): Promise<Finished> {
  return runSealift(args, { home, cwd: folder.path });
}

async function succeeds(...args: string[]): Promise<Finished> {
  const finished = await sealift(...args);
  expect(finished.code, `sealift ${args.join(' ')}\n${finished.stderr}${finished.stdout}`).toBe(0);
  return finished;
}

function warnings({ stderr }: Finished): string[] {
  return stderr.split('\n').filter((line) => line.includes('deprecated'));
}

function exportOf(output: string, ...options: string[]): string[] {
  return ['export', 'artifacts', '--output', output, '-f', list, ...options];
}

function operationIds(listed: Record<string, unknown>): string[] {
  return (listed['operations'] as { operation: string }[]).map(({ operation }) => operation);
}

describe('deprecated spellings', () => {
  it('download and import, and warn once with the new command', async () => {
    const dry = await succeeds('download', 'artifacts', '--dry-run', '--bundles-override', manifest);
    expect(warnings(dry)).toEqual([expect.stringContaining(`sealift list images -f ${manifest}`)]);
    for (const reference of filled.images.keys()) expect(dry.stdout).toContain(reference);

    const artifacts = await succeeds('download', 'artifacts', '-d', 'eks', '--bundles-override', manifest);
    const command = `sealift export artifacts --output eks.tar -f ${manifest}`;
    expect(warnings(artifacts)).toEqual([expect.stringContaining(command)]);
    const images = await succeeds('download', 'images', '-o', 'images.tar', '--bundles-override', manifest);
    expect(warnings(images)).toEqual([expect.stringContaining('sealift export artifacts --output images.tar')]);

    await using registry = await startRegistry({ kind: 'distribution' });
    await using puller = createPuller(registry.url);
    const imported = await succeeds('import', 'images', '-i', 'images.tar', '-r', registry.host, '-b', manifest);
    const importing = `sealift import artifacts --input images.tar --registry ${registry.host}`;
    expect(warnings(imported)).toEqual([expect.stringContaining(importing)]);
    const [[reference, digest] = ['', '']] = filled.images;
    const [, repository = '', tag = ''] = /^[^/]+\/(.+):(.+)$/.exec(reference) ?? [];
    expect(await puller.whole(repository, tag)).toBe(digest);

    const spec = {
      apiVersion: 'anywhere.eks.amazonaws.com/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'c' },
      spec: {
        registryMirrorConfiguration: {
          endpoint: '127.0.0.1',
          port: String(registry.port),
          ociNamespaces: [{ registry: upstream.host, namespace: 'mirrored' }],
        },
      },
    };
    await writeFile(at('cluster.yaml'), stringify(spec));
    const old = await succeeds('import-images', '-i', 'images.tar', '-f', 'cluster.yaml');
    expect(warnings(old)).toEqual([expect.stringContaining(`--map ${upstream.host}=mirrored`)]);
    expect(await puller.whole(`mirrored/${repository}`, tag)).toBe(digest);
  });
});

describe('one export', () => {
  it('goes on in the background with --detach, and can be watched and listed', async () => {
    const detached = await sealiftJson(home, 'detached', exportOf(at('detached.tar'), '--detach'));
    const operation = String(detached['operation']);
    const result = await sealiftJson(home, 'export', ['watch', operation]);
    expect(result).toMatchObject({ output: at('detached.tar'), images: 1 });
    const described = await sealiftJson(home, 'operation', ['describe', operation]);
    expect(described).toMatchObject({ status: 'completed', result: { images: 1 } });
    expect(operationIds(await sealiftJson(home, 'operations', ['list', 'operations']))).toContain(operation);
    // by the only beginning that fits
    expect(await succeeds('describe', operation.slice(0, -3))).toMatchObject({ stderr: '' });
  });

  it('is attached to by the same command', async () => {
    const slow = { kind: 'slow', direction: 'down', bytesPerSecond: 600_000 } as const;
    await using proxy = await startFaultProxy(upstream.url, [
      { name: 'slow', path: /\/blobs\//, times: Infinity, fault: slow },
    ]);
    const pullFrom = ['--pull-from', `${upstream.host}=${proxy.url}`, '--output-format', 'json'];
    const args = exportOf(at('attached.tar'), ...pullFrom);
    const first = startSealift(args, { home });
    const ended = first.done.then(() => true);
    while (proxy.downloaded() < 100_000 && !(await Promise.race([ended, sleep(10)])));
    const second = await runSealift(args, { home });
    const firstEnd = await first.done;
    expect([firstEnd.code, second.code], firstEnd.stderr + second.stderr).toEqual([0, 0]);
    expect(second.stderr).toContain('Attached to export/attached.tar');
    const results = [firstEnd, second].map(({ stdout }) => parseOutput('export', stdout)['digest']);
    expect(results[0]).toBe(results[1]);
    // nobody fetched it twice
    expect(proxy.traffic({ path: /\/blobs\// }).down).toBeLessThan(1.2 * 3_000_000);

    const requests = proxy.traffic().requests;
    const finished = await runSealift(args, { home });
    expect(finished.stderr).toContain('is done already');
    expect(parseOutput('export', finished.stdout)['digest']).toBe(results[0]);
    expect(proxy.traffic().requests, 'requests to the registry').toBe(requests);
  });

  it('does not replace a file of somebody else, unless it is told to', async () => {
    await writeFile(at('taken.tar'), 'mine');
    const refused = await sealiftJson(home, 'failure', exportOf(at('taken.tar')), { code: 2 });
    expect(refused['problems']).toEqual([
      expect.objectContaining({
        type: 'OutputExists',
        subject: at('taken.tar'),
        remedy: expect.stringContaining('--force'),
      }),
    ]);
    await succeeds(...exportOf(at('taken.tar'), '--force'));
    await succeeds('verify', 'artifacts', '--input', at('taken.tar'));
    // asked for something else under the same name
    const other = exportOf(at('taken.tar'), '--platform', 'linux/amd64');
    expect(JSON.stringify(await sealiftJson(home, 'failure', other, { code: 2 }))).toContain('OutputExists');
  });

  it('says the same in text: result on stdout, the rest on stderr', async () => {
    const { stdout, stderr } = await succeeds(...exportOf(at('text.tar')));
    expect(stdout).toMatch(/^Exported 1 image, 0 charts, 0 files .* to .*text\.tar\nBundle: sha256:[0-9a-f]{64}\n/);
    expect(stderr).toContain('Started export/text.tar-');
    expect(stderr).toMatch(/Temporal UI: http:\/\/127\.0\.0\.1:\d+\//);
    // no terminal, so no cursor movements
    expect(stdout + stderr).not.toContain('\u001B');
  });
});

describe('helpers of the command line', () => {
  it('list what there is in text', async () => {
    const { stdout } = await succeeds('list', 'images', '-f', list);
    expect(stdout).toBe(`${upstream.host}/app:v1\n`);
    expect(await sealiftJson(home, 'images', ['list', 'images', '-f', manifest])).toMatchObject({ kind: 'images' });
  });

  it('examine the machine', async () => {
    const { findings } = (await sealiftJson(home, 'doctor', ['doctor'])) as {
      findings: { subject: string; status: string; remedy: string }[];
    };
    expect(findings.map(({ subject }) => subject)).toContain('Node.js');
    for (const { subject, status, remedy } of findings) {
      if (status !== 'ok') expect(remedy, subject).not.toBe('');
    }
    const unwritable = { XDG_STATE_HOME: list };
    const failing = await runSealift(['doctor'], { home, env: unwritable });
    expect(failing.code, failing.stdout + failing.stderr).toBe(3);
    expect(failing.stdout).toMatch(/missing +state folder/);
  });

  it.each(['bash', 'zsh', 'fish'])('complete in %s', async (shell) => {
    const { stdout } = await succeeds('completion', shell);
    expect(stdout).toContain('artifacts');
    expect(stdout).not.toContain('import-images');
    await sealiftJson(home, 'completion', ['completion', shell]);
    const found = await findTool(shell);
    if (found === undefined) {
      console.warn(`${shell} is not on this machine: its script was not parsed`);
      return;
    }
    await writeFile(at(`completion.${shell}`), stdout);
    await runOk(found, ['-n', at(`completion.${shell}`)]);
  });

  it('start, show and stop the server', async () => {
    await succeeds(...exportOf(at('remembered.tar')));
    const before = await sealiftJson(home, 'operations', ['list', 'operations']);
    const started = await sealiftJson(home, 'server', ['server', 'start']);
    const shown = await sealiftJson(home, 'server', ['server', 'status']);
    expect(shown['pid']).toBe(started['pid']);
    await succeeds('server', 'stop');
    expect(await sealiftJson(home, 'server', ['server', 'status'])).toEqual({ kind: 'server', running: false });
    expect(await sealiftJson(home, 'server', ['server', 'stop'])).toMatchObject({ stopped: false });
    // operations wait in its file; the next command starts it again
    expect(operationIds(await sealiftJson(home, 'operations', ['list', 'operations']))).toEqual(operationIds(before));
  });
});
