import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExportArtifactsInput, ImportArtifactsInput } from '../../contracts/operations.ts';
import { fakeHost, recordedTerminal } from '../../test/helpers/command-line.ts';
import { commandTable } from '../command-table.ts';
import { main } from '../main.ts';
import { exportInputDigest, importInputDigest } from '../operations/input-digest.ts';
import { exportOperationId, importOperationId } from '../operations/operation-ids.ts';
import { byteSize, collectPairs } from './parse.ts';
import { parseRegistry } from './registry-options.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}` as const;
const registry = { plainHttp: false, insecureSkipTlsVerify: false };

describe('parseRegistry', () => {
  it.each([
    ['r.example', { host: 'r.example', namespace: '' }],
    ['r.example:5000/', { host: 'r.example:5000', namespace: '' }],
    ['localhost:5000/a/b-c_d', { host: 'localhost:5000', namespace: 'a/b-c_d' }],
    ['[::1]:5000/a', { host: '[::1]:5000', namespace: 'a' }],
  ])('%s', (text, expected) => expect(parseRegistry(text)).toEqual(expected));

  it.each([
    '',
    '/',
    'https://r.example',
    'r.example/UPPER',
    'r.example//a',
    'r.example:port',
    'a b',
    'r.example/a/../b',
  ])('refuses %j', (text) => expect(() => parseRegistry(text)).toThrow());

  it('never repeats a password that was given by mistake', () => {
    const said = (() => {
      try {
        return parseRegistry('https://me:secret@r.example');
      } catch (error) {
        return JSON.stringify(error);
      }
    })();
    expect(said).not.toContain('secret');
  });
});

describe('collectPairs', () => {
  it('splits at the first equals sign', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^=]+$/), fc.string({ minLength: 1 }), (key, value) => {
        expect(collectPairs(`${key}=${value}`, undefined)[key]).toBe(value);
      }),
    );
  });

  it('refuses a key that is given twice', () => expect(() => collectPairs('a=1', { a: '2' })).toThrow(/twice/));
});

describe('operation ids', () => {
  it('tell outputs and machines apart, and registries and bundles', () => {
    expect(exportOperationId('q', '/x/a.tar')).toMatch(/^export\/a\.tar-[0-9a-f]{8}$/);
    expect(exportOperationId('q', '/x/a.tar')).not.toBe(exportOperationId('p', '/x/a.tar'));
    expect(exportOperationId('q', '/x/a.tar')).not.toBe(exportOperationId('q', '/y/a.tar'));
    expect(importOperationId(digest, 'r:5000', '')).toBe('import/0123456789ab/r:5000');
    expect(importOperationId(digest, 'r:5000', 'n/m')).toBe('import/0123456789ab/r:5000/n/m');
  });
});

describe('input digests', () => {
  const exporting: ExportArtifactsInput = {
    ...{ output: '/a.tar', selections: [], platforms: [], pullFrom: { a: '1', b: '2' }, digestPolicy: 'enforce' },
    ...{ concurrency: 4, force: false, onFailure: 'park', registry },
  };
  const importing: ImportArtifactsInput = {
    ...{
      input: '/a.tar',
      bundle: digest,
      host: 'r',
      namespace: '',
      map: {},
      concurrency: 4,
      onFailure: 'park',
      registry,
    },
  };

  it('ignore how the work is done and the order of keys', async () => {
    const other = {
      ...exporting,
      pullFrom: { b: '2', a: '1' },
      concurrency: 8,
      force: true,
      onFailure: 'fail',
      hostTaskQueue: 'q',
    } as const;
    expect(await exportInputDigest(other)).toBe(await exportInputDigest(exporting));
    expect(importInputDigest({ ...importing, input: '/b.tar', concurrency: 1 })).toBe(importInputDigest(importing));
  });

  it('see everything else', async () => {
    expect(await exportInputDigest({ ...exporting, platforms: ['linux/amd64'] })).not.toBe(
      await exportInputDigest(exporting),
    );
    expect(importInputDigest({ ...importing, map: { a: 'b' } })).not.toBe(importInputDigest(importing));
  });
});

describe('completion', () => {
  async function script(shell: string): Promise<string> {
    const terminal = recordedTerminal();
    expect(await main(['completion', shell], () => fakeHost({}), terminal)).toBe(0);
    return terminal.out();
  }

  it.each(['bash', 'zsh', 'fish'])('%s knows every command that is not deprecated, and its options', async (shell) => {
    const text = await script(shell);
    for (const { words, hidden } of commandTable) {
      if (hidden === undefined) for (const word of words) expect(text).toContain(word);
    }
    expect(text).toMatch(/idle-exit/);
    expect(text).not.toContain('download');
  });

  it('works in bash', async () => {
    const ask = (...words: string[]) => {
      const line = words.map((word) => `'${word}'`).join(' ');
      const asked = `COMP_WORDS=(sealift ${line}); COMP_CWORD=${words.length}; _sealift; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', `${text}\n${asked}`], { encoding: 'utf8' })
        .stdout.trim()
        .split('\n');
    };
    const text = await script('bash');
    expect(ask('ex')).toEqual(['export']);
    expect(ask('export', 'artifacts', '--plat')).toEqual(['--platform']);
    expect(ask('export', 'artifacts', '--platform', 'linux/amd64', '--dig')).toEqual(['--digest-policy']);
    expect(ask('completion', 'f')).toEqual(['fish']);
    expect(ask('server', 'st')).toEqual(['start', 'stop', 'status']);
  });
});

describe('byteSize', () => {
  it.each([
    ['0', 0],
    ['1024', 1024],
    ['20G', 20 * 1024 ** 3],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['3k', 3072],
    ['2TB', 2 * 1024 ** 4],
  ])('reads %s', (text, bytes) => {
    expect(byteSize(text)).toBe(bytes);
  });

  it.each(['', 'G', '20 G', '-1', '20X', '1e3'])('refuses %j', (text) => {
    expect(() => byteSize(text)).toThrow(/e\.g\. 20G/);
  });
});
