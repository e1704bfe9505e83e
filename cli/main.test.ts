import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SealiftHost, VerifyReport } from '../contracts/host.ts';
import type { SourceSelection } from '../contracts/source-plugin.ts';
import { fakeHost, recordedTerminal } from '../test/helpers/command-line.ts';
import { parseOutput } from '../test/helpers/output-schema.ts';
import { temporaryFolder } from '../test/helpers/paths.ts';
import { CliError } from './cli-error.ts';
import { main } from './main.ts';

const noHost = (): never => {
  throw new Error('this command needs no host');
};

async function run(argv: string[], host: () => SealiftHost = noHost, env: Record<string, string> = {}) {
  const terminal = recordedTerminal({ env, cwd: '/work' });
  const code = await main(argv, host, terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe('usage', () => {
  it('shows the commands when none is given, without the deprecated ones', async () => {
    const { code, out, err } = await run([]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('sealift export artifacts');
    for (const word of [
      'describe',
      'watch',
      'retry',
      'skip',
      'abort',
      'cancel',
      'pause',
      'resume',
      'worker',
      'doctor',
    ]) {
      expect(out).toMatch(new RegExp(`^  ${word}`, 'm'));
    }
    expect(out).not.toContain('download');
  });

  it.each([
    [['exprt'], 'Did you mean export?'],
    [['export', 'artifcts'], 'Did you mean artifacts?'],
    [['export', 'artifacts', '--outputt', 'x'], 'Did you mean --output?'],
    [['export'], 'a command is missing'],
    [['export', 'artifacts', '-f', 'a'], "required option '-o, --output <file>' not specified"],
    [['import', 'artifacts', '--input', 'a'], 'neither a registry nor a folder is given'],
    [
      ['import', 'artifacts', '--input', 'a', '--files-dir', 'x', '--helm-dir', './x'],
      'it is given for files and for helm',
    ],
    [
      ['import', 'artifacts', '--input', 'a', '--files-dir', 'x', '--deb-signing-key', 'k'],
      'no Debian repository to sign',
    ],
    [['export', 'artifacts', '-f', 'a', '-o', 'b', '--platform', 'amd64'], 'os/arch'],
    [['export', 'artifacts', '-f', 'a', '-o', 'b', '--pull-from', 'nothing'], 'KEY=VALUE'],
    [['export', 'artifacts', '-f', 'a', '-o', 'b', '--concurrency', '0'], 'at least 1'],
    [['export', 'artifacts', '-f', 'a', '-o', 'b', '--on-failure', 'cry'], 'Allowed choices are park, fail'],
    [['describe'], "missing required argument 'operation'"],
    [['completion', 'powershell'], 'Allowed choices are bash, zsh, fish'],
  ])('%j ends with 2 and says what is wrong', async (argv, said) => {
    const { code, out, err } = await run(argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(said);
    expect(err).toMatch(/^Error: /m);
    expect(err).toMatch(/^ {2}remedy: /m);
  });

  it('writes a usage error as one JSON document when asked to', async () => {
    const { code, out } = await run(['export', 'artifacts', '--output-format', 'json']);
    expect(parseOutput('failure', out)).toMatchObject({ exitCode: 2, problems: [{ type: 'InvalidInput' }] });
    expect(code).toBe(2);
  });

  it('shows help of one command on stdout', async () => {
    const { code, out } = await run(['import', 'artifacts', '--help']);
    expect(code).toBe(0);
    for (const flag of ['--map', '--plain-http', '--ca-file', '--insecure-skip-tls-verify', '--detach']) {
      expect(out).toContain(flag);
    }
  });
});

describe('errors of the host', () => {
  const failing = (type: 'BundleCorrupt' | 'RegistryUnauthorized' | 'TemporalUnreachable') => () =>
    fakeHost({
      doctor: () => {
        throw new CliError(type, {
          side: 'source',
          operation: 'look',
          subject: 'thing',
          message: 'bad\u001b[31m',
          remedy: 'mend it',
        });
      },
    });

  it.each([
    ['BundleCorrupt', 4],
    ['RegistryUnauthorized', 3],
    ['TemporalUnreachable', 6],
  ] as const)('%s ends with %i', async (type, exitCode) => {
    const { code, out, err } = await run(['doctor', '--output-format=json'], failing(type));
    expect(code).toBe(exitCode);
    expect(err).toBe(`Error: look thing (source): bad[31m\n  type: ${type}\n  remedy: mend it\n`);
    expect(parseOutput('failure', out)).toMatchObject({ exitCode });
  });

  it('a defect ends with 1', async () => {
    const { code, err } = await run(['doctor'], () => fakeHost({}));
    expect(code).toBe(1);
    expect(err).toContain('InternalError');
  });
});

describe('list images', () => {
  const host = (seen: SourceSelection[][]) => () =>
    fakeHost({
      sources: {
        names: () =>
          Promise.resolve([
            { name: 'images', summary: '', selections: [] },
            { name: 'eks-anywhere', summary: '', selections: [] },
          ]),
        detect: (file) => Promise.resolve(file.endsWith('.txt') ? 'images' : 'eks-anywhere'),
        list: (selections, _options, warn) => {
          seen.push(selections);
          warn('be careful');
          return Promise.resolve({
            items: [
              {
                kind: 'image',
                name: 'a',
                reference: 'r.example/a:1',
                digest: `sha256:${'0'.repeat(64)}`,
                foundAt: 'line 1',
              },
              {
                kind: 'file',
                name: 'b',
                reference: 'https://h.example/b',
                checksums: { sha256: 'ff' },
                foundAt: 'x.y',
              },
            ],
            documents: [{ destination: 'd:1', title: 't', mediaType: 'm', content: new Uint8Array(3) }],
          });
        },
      },
    });

  it('prints one reference a line, and groups files by their source', async () => {
    const seen: SourceSelection[][] = [];
    const argv = [
      'list',
      'images',
      '-f',
      'a.txt',
      '-f',
      'b.yaml',
      '-f',
      'https://h.example/c.txt',
      '--kube-version',
      '1.30',
    ];
    const { code, out, err } = await run(argv, host(seen));
    expect(code).toBe(0);
    expect(out).toBe(`r.example/a:1@sha256:${'0'.repeat(64)}\nhttps://h.example/b\n`);
    expect(err).toBe('Warning: be careful\n');
    expect(seen[0]).toEqual([
      { source: 'images', files: ['/work/a.txt', 'https://h.example/c.txt'], kubeVersions: ['1.30'], providers: [] },
      { source: 'eks-anywhere', files: ['/work/b.yaml'], kubeVersions: ['1.30'], providers: [] },
    ]);
  });

  it('prints one JSON document', async () => {
    const { out } = await run(['list', 'images', '-f', 'a.txt', '--output-format', 'json'], host([]));
    expect(parseOutput('images', out)).toMatchObject({ documents: [{ size: 3 }] });
  });

  it('refuses an unknown source and names the known ones', async () => {
    const { code, err } = await run(['list', 'images', '-f', 'a', '--source', 'tarot'], host([]));
    expect(code).toBe(2);
    expect(err).toContain('use one of images, eks-anywhere');
  });

  it('is what the deprecated `download artifacts --dry-run` does, after one warning', async () => {
    const argv = ['download', 'artifacts', '--dry-run', '--bundles-override', 'b b.yaml'];
    const { code, out, err } = await run(argv, host([]));
    expect(code).toBe(0);
    expect(out).toContain('r.example/a:1');
    expect(err.match(/is deprecated/g)).toHaveLength(1);
    expect(err).toContain("use: sealift list images -f 'b b.yaml'");
  });
});

describe('verify artifacts', () => {
  const report: VerifyReport = { digest: `sha256:${'a'.repeat(64)}`, size: 2048, blobs: 2, bytes: 1024, problems: [] };

  it('checks tar and registry', async () => {
    const seen: unknown[] = [];
    const host = () =>
      fakeHost({
        bundles: {
          verify: (path, options, progress) => {
            seen.push(path, options);
            progress({ bytesDone: 512, bytesTotal: 1024, blobsDone: 1, blobsTotal: 2 });
            return Promise.resolve({
              ...report,
              registry: { name: 'r.example:5000/m', images: 1, blobs: 2, bytes: 1024 },
            });
          },
        },
      });
    const argv = [
      'verify',
      'artifacts',
      '--input',
      'a.tar',
      '--registry',
      'r.example:5000/m/',
      '--plain-http',
      '--map',
      'a.io=x',
    ];
    const { code, out, err } = await run([...argv, '--output-format', 'json'], host);
    expect(code).toBe(0);
    expect(parseOutput('verify', out)).toMatchObject({ kind: 'verify', blobs: 2 });
    expect(err).toContain('verifying  50% 512 B of 1.0 KiB');
    expect(seen).toEqual([
      '/work/a.tar',
      {
        concurrency: 4,
        destination: {
          host: 'r.example:5000',
          namespace: 'm',
          map: { 'a.io': 'x' },
          registry: { plainHttp: true, insecureSkipTlsVerify: false },
        },
      },
    ]);
  });

  it('ends with 4 when a digest is wrong', async () => {
    const problem = {
      type: 'DigestMismatch',
      side: 'local',
      operation: 'hash',
      subject: 'blob',
      message: 'wrong',
      remedy: '',
    } as const;
    const host = () => fakeHost({ bundles: { verify: () => Promise.resolve({ ...report, problems: [problem] }) } });
    const { code, out, err } = await run(['verify', 'artifacts', '--input', 'a.tar'], host);
    expect({ code, out }).toEqual({ code: 4, out: '' });
    expect(err).toContain('DigestMismatch');
  });
});

describe('server and doctor', () => {
  const info = {
    address: '127.0.0.1:1',
    namespace: 'default',
    uiUrl: 'http://127.0.0.1:2',
    pid: 3,
    version: '1',
    database: '/d',
    log: '/l',
  };

  it.each([
    [['server', 'start'], { ensure: () => Promise.resolve(info) }, '127.0.0.1:1'],
    [['server', 'stop'], { stop: () => Promise.resolve(true) }, 'Stopped'],
    [['server', 'status'], { status: () => Promise.resolve(info) }, '/d'],
    [['server', 'status'], { status: () => Promise.resolve(undefined) }, 'not running'],
  ])('%j', async (argv, server, said) => {
    const host = () => fakeHost({ server });
    const text = await run(argv, host);
    expect(text.code).toBe(0);
    expect(text.out).toContain(said);
    parseOutput('server', (await run([...argv, '--output-format', 'json'], host)).out);
  });

  it('says that another Temporal is configured', async () => {
    const host = () => fakeHost({ server: { status: () => Promise.resolve(undefined) } });
    const { err } = await run(['server', 'status'], host, { TEMPORAL_ADDRESS: 'temporal.example:7233' });
    expect(err).toContain('temporal.example:7233');
  });

  it('doctor ends with 3 when something is missing', async () => {
    const finding = { subject: 'temporal', status: 'missing', detail: 'nowhere', remedy: 'get it' } as const;
    const { code, out } = await run(['doctor'], () => fakeHost({ doctor: () => Promise.resolve([finding]) }));
    expect(code).toBe(3);
    expect(out).toContain('remedy: get it');
  });
});

describe('import-images', () => {
  it('reads the registry from a cluster spec', async () => {
    await using folder = await temporaryFolder('spec');
    const path = join(folder.path, 'spec.yaml');
    await mkdir(folder.path, { recursive: true });
    const mirror =
      'registryMirrorConfiguration: {endpoint: r.example, port: "5000", ociNamespaces: [{registry: public.ecr.aws, namespace: ecr}]}';
    await writeFile(path, `kind: VSphereDatacenterConfig\n---\nkind: Cluster\nspec:\n  ${mirror}\n`);
    const host = () => fakeHost({ server: { ensure: () => Promise.reject(new Error('far enough')) } });
    const { code, err } = await run(['import-images', '-i', 'a.tar', '-f', path], host);
    expect(code).toBe(1);
    expect(err).toContain(
      'use: sealift import artifacts --input a.tar --registry r.example:5000 --map public.ecr.aws=ecr',
    );
  });

  it('wants a registry', async () => {
    const { code, err } = await run(['import', 'images', '-i', 'a.tar', '-b', 'bundles.yaml']);
    expect(code).toBe(2);
    expect(err).toContain('give --registry');
  });
});
