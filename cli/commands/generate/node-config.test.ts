import { describe, expect, it } from 'vitest';
import type { NodeConfigAsked } from '../../../contracts/node-configs.ts';
import { fakeHost, recordedTerminal } from '../../../test/helpers/command-line.ts';
import { parseOutput } from '../../../test/helpers/output-schema.ts';
import { main } from '../../main.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string; asked: NodeConfigAsked[] }> {
  const asked: NodeConfigAsked[] = [];
  const host = fakeHost({
    sources: {
      names: () => Promise.resolve([{ name: 'images', summary: '', selections: [] }]),
      detect: () => Promise.resolve('images'),
    },
    nodeConfigs: {
      generators: () =>
        Promise.resolve([
          { source: 'x', summary: '', modes: [], options: [{ name: 'file', summary: '', path: true }] },
        ]),
      write: (given, warn) => {
        asked.push(given);
        warn('be careful');
        return Promise.resolve({ files: [{ path: 'install.sh', size: 2048, executable: true }] });
      },
    },
  });
  const terminal = recordedTerminal();
  const code = await main(['generate', 'node-config', ...argv], () => host, terminal);
  return { code, out: terminal.out(), err: terminal.err(), asked };
}

describe('generate node-config', () => {
  it('hands on what was asked, with absolute paths', async () => {
    const { code, out, err, asked } = await run(
      ...['--for', 'x', '--mode', 'm', '-o', 'out', '-f', 'a.txt', '-r', 'r.test:5000/p', '--ca-file', 'ca.pem'],
      ...['--map', 'ghcr.io=g', '--option', 'file=b', '--option', 'file=/c', '--option', 'other=d', '--force'],
    );
    expect([code, err]).toEqual([0, 'Warning: be careful\n']);
    expect(out).toContain('Wrote 1 file for x, mode m, to /nonexistent/out:\n  install.sh  2.0 KiB');
    expect(asked).toEqual([
      {
        ...{ source: 'x', mode: 'm', output: '/nonexistent/out', force: true, pullFrom: {} },
        selections: [{ source: 'images', files: ['/nonexistent/a.txt'], kubeVersions: [], providers: [] }],
        registry: {
          host: 'r.test:5000',
          prefix: 'p',
          plainHttp: false,
          map: { 'ghcr.io': 'g' },
          caFile: '/nonexistent/ca.pem',
        },
        options: { file: ['/nonexistent/b', '/c'], other: ['d'] },
      },
    ]);
  });

  it('prints one JSON document', async () => {
    const { out } = await run('--for', 'x', '-o', 'out', '-i', 'a.tar', '--output-format', 'json');
    expect(parseOutput('node-config', out)).toMatchObject({ source: 'x', output: '/nonexistent/out' });
  });

  it.each([
    [['-o', 'out'], '--for'],
    [['--for', 'x'], '--output'],
    [['--for', 'x', '-o', 'out', '-i', 'a.tar', '-f', 'b'], '--input and --file'],
    [['--for', 'x', '-o', 'out', '-r', 'https://r.test'], 'scheme'],
    [['--for', 'x', '-o', 'out', '--option', 'file'], 'KEY=VALUE'],
    [['--for', 'x', '-o', 'out', '--option', 'proxy=http://me:secret@h'], 'credentials'],
  ])('refuses %j', async (argv, said) => {
    const { code, err, asked } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toContain(said);
    expect(err).not.toContain('secret');
    expect(asked).toEqual([]);
  });
});
