import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { projectRoot, temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { readExportConfig } from './export-config.ts';
import { exportConfig } from './schema.ts';

const known = [
  { name: 'images' },
  { name: 'cluster', options: [{ name: 'kubeconfig', summary: '', path: true as const }] },
];

describe('sealift.yaml', () => {
  let folder: TemporaryFolder;
  let file: string;
  beforeAll(async () => {
    folder = await temporaryFolder('config');
    file = join(folder.path, 'sealift.yaml');
  });
  afterAll(() => folder.remove());

  async function read(text: string): ReturnType<typeof readExportConfig> {
    await writeFile(file, text);
    return readExportConfig(file, known);
  }

  it('gives every flag, with paths that are relative to the file', async () => {
    const config = await read(`
output: out/artifacts.tar
platforms: [linux/amd64, linux/arm/v7]
pullFrom: { registry.example: http://127.0.0.1:5000 }
lock: sealift.lock
concurrency: 8
onFailure: fail
digestPolicy: warn
caFile: /etc/ca.pem
plainHttp: false
insecureSkipTlsVerify: true
sources:
  - name: images
    files: [a.txt, https://files.example/b.txt]
    kubeVersions: ['1.30']
    providers: [vsphere]
    release: v1
  - name: cluster
    options: { kubeconfig: admin.conf, namespace: [a, b] }
`);
    expect(config).toEqual({
      output: join(folder.path, 'out/artifacts.tar'),
      platforms: ['linux/amd64', 'linux/arm/v7'],
      pullFrom: { 'registry.example': 'http://127.0.0.1:5000' },
      lock: join(folder.path, 'sealift.lock'),
      concurrency: 8,
      onFailure: 'fail',
      digestPolicy: 'warn',
      caFile: '/etc/ca.pem',
      plainHttp: false,
      insecureSkipTlsVerify: true,
      sources: [
        {
          source: 'images',
          files: [join(folder.path, 'a.txt'), 'https://files.example/b.txt'],
          kubeVersions: ['1.30'],
          providers: ['vsphere'],
          release: 'v1',
        },
        {
          source: 'cluster',
          files: [],
          kubeVersions: [],
          providers: [],
          options: { kubeconfig: [join(folder.path, 'admin.conf')], namespace: ['a', 'b'] },
        },
      ],
    });
    expect(await read('output: a.tar')).toEqual({ output: join(folder.path, 'a.tar') });
  });

  it.each([
    ['outptu: a.tar', 1, 'outptu: '],
    ['output: a.tar\nsources:\n  - name: images\n    kubeVersion: [a]', 4, 'sources[0].kubeVersion: '],
    ['sources:\n  - name: kubernetes', 2, 'sources[0].name: there is no source kubernetes'],
    ['sources:\n  - files: [a]', 2, 'sources[0].name: is missing'],
    ['sources: []', 1, 'sources: it names no source'],
    [
      'sources:\n  - name: images\n    kubeVersions:\n      - 1.30',
      4,
      'kubeVersions[0]: it is no text: put it in quotes',
    ],
    ['concurrency: 0', 1, 'concurrency: '],
    ['onFailure: wait', 1, 'onFailure: '],
    ['platforms: [amd64]', 1, 'platforms[0]: it has the form os/arch'],
    ['pullFrom:\n  a.example: http://user:secret@b.example', 2, 'it holds credentials'],
    ['sources:\n  - name: images\n    files: ["https://user:secret@b.example/list"]', 3, 'it holds credentials'],
    ['output: a.tar\n---\noutput: b.tar', 3, 'more than one YAML document'],
    ['output: [', 1, ''],
  ])('refuses %j, naming line %i', async (text, line, message) => {
    const reading = read(text);
    await expect(reading).rejects.toMatchObject({
      problem: {
        type: 'InvalidInput',
        subject: expect.stringMatching(new RegExp(`^${file}:${line}(:|$)`)),
        message: expect.stringContaining(message),
      },
    });
    await expect(reading).rejects.not.toThrow(/secret/);
  });

  it('is a file that must be there', async () => {
    await expect(readExportConfig('/nonexistent/sealift.yaml', known)).rejects.toMatchObject({ type: 'FileMissing' });
  });

  it('has the JSON schema that is in docs/schemas', async () => {
    const published: unknown = JSON.parse(
      await readFile(join(projectRoot, 'docs/schemas/sealift-config.json'), 'utf8'),
    );
    expect(published).toEqual(z.toJSONSchema(exportConfig, { io: 'input' }));
  });
});
