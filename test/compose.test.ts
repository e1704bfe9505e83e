import { mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { searchAttributeTypes } from '../contracts/search-attributes.ts';
import { projectRoot, requireTool, temporaryFolder, type TemporaryFolder } from './helpers/paths.ts';
import { onFreePorts, run, runOk, startProcess, type RunningProcess } from './helpers/processes.ts';

interface Volume {
  type: 'volume' | 'bind';
  source: string;
}

interface Service {
  image: string;
  build?: { context: string; dockerfile: string };
  container_name?: string;
  restart?: string;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  environment?: Record<string, string | null>;
  ports?: { host_ip?: string; published: string }[];
  volumes?: Volume[];
  stop_grace_period?: string;
}

interface ComposeModel {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}

const oneShots = ['temporal-schema', 'temporal-namespace'];
const path = process.env['PATH'] ?? '';

/** What `docker compose config` answers for a folder (tools/compose: compose-go, the library inside Docker Compose). */
async function composeConfig(folder: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return run(await requireTool('compose-config'), [], { cwd: folder, env: { PATH: path } });
}

describe('docker-compose.yml', () => {
  let model: ComposeModel;
  let warnings: string;
  let services: [string, Service][];
  beforeAll(async () => {
    const { stdout, stderr } = await composeConfig(projectRoot);
    warnings = stderr;
    model = JSON.parse(stdout) as ComposeModel;
    services = Object.entries(model.services);
  });

  it('is valid, and every variable it uses is in .env', () => {
    expect(warnings).toBe('');
    expect(Object.keys(model.services).sort()).toEqual(
      ['postgresql', 'sealift-worker', 'temporal', 'temporal-namespace', 'temporal-schema', 'temporal-ui'].sort(),
    );
  });

  it('uses every variable that .env sets', async () => {
    const text = await readFile(join(projectRoot, 'docker-compose.yml'), 'utf8');
    const settings = [...(await readFile(join(projectRoot, '.env'), 'utf8')).matchAll(/^([A-Z_]+)=/gm)].map(
      ([, name]) => name,
    );
    expect(settings.filter((name) => !text.includes(`\${${name}}`))).toEqual(['COMPOSE_PROJECT_NAME']);
  });

  it('pins every image to a version', () => {
    for (const [name, { image }] of services) expect(image, name).toMatch(/^[a-z/-]+:\d+[.]\d+([.]\d+)?$/);
  });

  it('checks the health of every service that stays, and the rest are one-shot', () => {
    for (const [name, service] of services) {
      if (oneShots.includes(name)) expect(service.restart, name).toMatch(/^on-failure:/);
      else expect(service.healthcheck?.test.length, name).toBeGreaterThan(1);
    }
  });

  it('waits for what is there and can become what it waits for', () => {
    for (const [name, service] of services) {
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(Object.keys(model.services), name).toContain(needed);
        const expected = oneShots.includes(needed) ? 'service_completed_successfully' : 'service_healthy';
        expect(condition, `${name} -> ${needed}`).toBe(expected);
      }
    }
  });

  it('publishes on the loopback interface only', () => {
    const hosts = services.flatMap(([, service]) => service.ports ?? []).map((port) => port.host_ip);
    expect(hosts).toEqual(hosts.map(() => '127.0.0.1'));
    expect(hosts).toHaveLength(2);
  });

  it('mounts declared volumes and files that exist', async () => {
    const mounts = services.flatMap(([, service]) => service.volumes ?? []);
    for (const { source } of mounts.filter(({ type }) => type === 'bind')) await stat(source);
    const named = mounts.filter(({ type }) => type === 'volume').map(({ source }) => source);
    expect(named.sort()).toEqual(Object.keys(model.volumes).sort());
  });

  it('lets the worker be scaled: no fixed name or port, the bundles shared, time to hand work back', () => {
    const worker = model.services['sealift-worker'];
    expect(worker).toMatchObject({ stop_grace_period: '1m30s', build: { dockerfile: 'Dockerfile' } });
    expect(worker?.container_name).toBeUndefined();
    expect(worker?.ports).toBeUndefined();
    expect(worker?.volumes).toContainEqual(expect.objectContaining({ type: 'volume', source: 'bundles' }));
    expect(worker?.environment).toMatchObject({ TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_NAMESPACE: 'sealift' });
  });

  it.each([
    ['a misspelt key', 'services: { one: { imag: postgres } }', 'imag'],
    ['a volume nobody declares', 'services: { one: { image: postgres, volumes: [data:/data] } }', 'undefined volume'],
    ['a service that is not there', 'services: { one: { image: postgres, depends_on: [two] } }', 'undefined service'],
  ])('would be refused with %s', async (_, content, said) => {
    await using folder = await temporaryFolder('compose');
    const file = join(folder.path, 'docker-compose.yml');
    await writeFile(file, content);
    const { code, stderr } = await composeConfig(folder.path);
    expect(code).not.toBe(0);
    expect(stderr).toContain(said);
  });
});

describe('deploy/create-namespace.sh', () => {
  let folder: TemporaryFolder;
  let server: RunningProcess;
  let env: Record<string, string>;
  beforeAll(async () => {
    const temporal = await requireTool('temporal');
    folder = await temporaryFolder('namespace');
    await onFreePorts(1, async ([port = 0]) => {
      env = {
        PATH: `${join(temporal, '..')}:${path}`,
        HOME: folder.path,
        TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
        TEMPORAL_NAMESPACE: 'carried',
        NAMESPACE_RETENTION: '30d',
      };
      server = await startProcess({
        command: temporal,
        args: [
          'server',
          'start-dev',
          '--headless',
          '--ip',
          '127.0.0.1',
          '--port',
          String(port),
          '--log-level',
          'error',
        ],
        env: { PATH: path, HOME: folder.path },
        ready: async () => (await run(temporal, ['operator', 'cluster', 'health'], { env })).code === 0,
      });
    });
  });
  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  it('creates the namespace with the attributes of the contract, and may run again', async () => {
    const script = join(projectRoot, 'deploy', 'create-namespace.sh');
    await runOk('/bin/sh', [script], { env });
    expect(await runOk('/bin/sh', [script], { env })).toContain('search attribute SealiftParked is there');

    const asked = ['--namespace', 'carried', '--output', 'json'];
    const listed = JSON.parse(await runOk('temporal', ['operator', 'search-attribute', 'list', ...asked], { env }));
    const types = Object.entries(searchAttributeTypes).map(([name, type]) => [
      name,
      `INDEXED_VALUE_TYPE_${type.toUpperCase()}`,
    ]);
    expect(listed.customAttributes).toEqual(Object.fromEntries(types));
    const described = await runOk('temporal', ['operator', 'namespace', 'describe', ...asked], { env });
    expect(JSON.parse(described).config.workflowExecutionRetentionTtl).toBe('2592000s');
  });
});

describe('deploy/create-schema.sh', () => {
  it('brings both databases to the schema of this server, with the password in the environment only', async () => {
    await using folder = await temporaryFolder('schema');
    const log = join(folder.path, 'calls');
    const tool = join(folder.path, 'temporal-sql-tool');
    await writeFile(tool, `#!/bin/sh\necho "$SQL_PLUGIN $SQL_HOST $SQL_DATABASE: $*" >>"${log}"\n`, { mode: 0o755 });
    const env = { PATH: `${folder.path}:${path}`, SQL_HOST: 'postgresql', SQL_PASSWORD: 'hush' };
    await runOk('/bin/sh', [join(projectRoot, 'deploy', 'create-schema.sh')], { env });

    const calls = (database: string, schema: string): string[] =>
      ['create', 'setup-schema --version 0.0', `update-schema --schema-name postgresql/v12/${schema}`].map(
        (call) => `postgres12 postgresql ${database}: ${call}\n`,
      );
    const expected = [...calls('temporal', 'temporal'), ...calls('temporal_visibility', 'visibility')];
    expect(await readFile(log, 'utf8')).toBe(expected.join(''));
  });
});

describe('the worker image', () => {
  async function instructions(): Promise<[string, string][]> {
    const text = (await readFile(join(projectRoot, 'Dockerfile'), 'utf8')).replaceAll(/\\\n/g, ' ');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return lines.map((line) => line.split(/ (.*)/s) as [string, string]);
  }

  it('copies only what exists and what .dockerignore lets through', async () => {
    const ignored = (await readFile(join(projectRoot, '.dockerignore'), 'utf8')).split('\n');
    const copies = (await instructions()).filter(([name, rest]) => name === 'COPY' && !rest.startsWith('--from'));
    const sources = copies.flatMap(([, rest]) => rest.split(/ +/).slice(0, -1));
    for (const source of sources) {
      await stat(join(projectRoot, source));
      const passes = ignored.some(
        (line) => line === `!${source}` || (line.endsWith('-*.sh') && /worker-.*sh$/.test(source)),
      );
      expect(passes, source).toBe(true);
    }
    expect(sources).toContain('package-lock.json');
  });

  it('has a glibc base with a version, in every stage', async () => {
    const all = await instructions();
    const base = all.find(([name]) => name === 'ARG')?.[1];
    expect(base).toMatch(/^NODE_IMAGE=node:20[.]\d+-bookworm-slim$/);
    expect(all.filter(([name]) => name === 'FROM').map(([, rest]) => rest.split(' ')[0])).toEqual([
      '${NODE_IMAGE}',
      '${NODE_IMAGE}',
    ]);
  });

  it('runs the worker as nobody special, and can be checked', async () => {
    const last = Object.fromEntries((await instructions()).map(([name, rest]) => [name, rest]));
    expect(last['USER']).toBe('sealift');
    expect(last['CMD']).toBe('["worker"]');
    expect(last['ENTRYPOINT']).toBe('["/opt/sealift/deploy/worker-entrypoint.sh"]');
    expect(last['HEALTHCHECK']).toContain('/opt/sealift/deploy/worker-health.sh');
  });
});

describe('deploy/worker-entrypoint.sh', () => {
  it('gives replicas on one disk one host id, also when they start together', async () => {
    await using folder = await temporaryFolder('replicas');
    const start = async (replica: string): Promise<{ arguments: string; id: string; queue: string }> => {
      const env = {
        PATH: path,
        HOME: join(folder.path, replica),
        SEALIFT_SHARED_HOST_ID: join(folder.path, 'host-id'),
        SEALIFT_BIN: '/bin/echo',
      };
      await mkdir(env.HOME);
      const said = await runOk(join(projectRoot, 'deploy', 'worker-entrypoint.sh'), ['worker', '--verbose'], { env });
      const state = join(env.HOME, '.local/state/sealift');
      const queue = await realpath(join(state, 'host-queue'));
      return { arguments: said, id: await readFile(join(state, 'host-id'), 'utf8'), queue };
    };
    const replicas = await Promise.all(['a', 'b', 'c', 'd'].map(start));
    const later = await start('e');
    expect(later.id).toMatch(/^[0-9a-f]{12}\n$/);
    for (const replica of replicas) expect(replica).toEqual({ ...later, arguments: 'worker --verbose\n' });
  });
});

describe('deploy/worker-health.sh', () => {
  it('is healthy with a live registered worker, not without one', async () => {
    await using folder = await temporaryFolder('health');
    const workers = join(folder.path, 'sealift', 'workers');
    const env = { PATH: path, XDG_STATE_HOME: folder.path };
    const check = async (): Promise<number | string> =>
      (await run(join(projectRoot, 'deploy', 'worker-health.sh'), [], { env })).code;
    expect(await check()).toBe(1);
    await mkdir(workers, { recursive: true });
    // no process has a pid beyond the kernel's limit of 2^22
    await writeFile(join(workers, '4194305.json'), '{}');
    expect(await check()).toBe(1);
    await writeFile(join(workers, `${process.pid}.json`), '{}');
    expect(await check()).toBe(0);
  });
});
