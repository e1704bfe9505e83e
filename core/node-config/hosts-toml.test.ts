import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { mirrorHosts, tomlString } from './hosts-toml.ts';

const registry = { host: 'r.test:5000', prefix: 'my/own', plainHttp: false, map: { 'quay.io': 'q' } };
const python = spawnSync('python3', ['-c', 'import tomllib']).status === 0;

function contents(options: Partial<Parameters<typeof mirrorHosts>[0]> = {}): Map<string, string> {
  const files = mirrorHosts({ origins: ['ghcr.io', 'quay.io'], registry, folder: '/etc/hosts.d/', ...options });
  return new Map(files.map((file) => [file.path, 'content' in file ? file.content : '']));
}

describe('mirrorHosts', () => {
  it('says the same at the top and for the host', () => {
    expect(contents().get('etc/hosts.d/ghcr.io/hosts.toml')).toBe(
      [
        'server = "https://r.test:5000/v2/my/own"',
        'capabilities = ["pull", "resolve"]',
        'override_path = true',
        '',
        '[host."https://r.test:5000/v2/my/own"]',
        '  capabilities = ["pull", "resolve"]',
        '  override_path = true',
        '',
      ].join('\n'),
    );
  });

  it('follows the map, and leads to the registry itself without a prefix', () => {
    const server = (name: string): string => contents().get(`etc/hosts.d/${name}/hosts.toml`)?.split('\n')[0] ?? '';
    expect(server('quay.io')).toBe('server = "https://r.test:5000/v2/q"');
    expect(server('_default')).toBe('server = "https://r.test:5000/v2/my/own"');
    expect(server('r.test_5000_')).toBe('server = "https://r.test:5000/v2"');
  });

  it.runIf(python)('is TOML, whatever the values are (python3 has tomllib)', () => {
    const authorization = 'Basic "\\\u007f';
    const toml = contents({ registry: { ...registry, ca: 'PEM' }, authorization }).get(
      'etc/hosts.d/ghcr.io/hosts.toml',
    );
    const program = 'import json, sys, tomllib; print(json.dumps(tomllib.loads(sys.stdin.read())))';
    const { stdout } = spawnSync('python3', ['-c', program], { input: toml ?? '', encoding: 'utf8' });
    const settings = {
      capabilities: ['pull', 'resolve'],
      override_path: true,
      ca: '/etc/hosts.d/ghcr.io/ca.crt',
      header: { Authorization: [authorization] },
    };
    const url = 'https://r.test:5000/v2/my/own';
    expect(JSON.parse(stdout)).toEqual({ server: url, ...settings, host: { [url]: settings } });
  });

  it('quotes what TOML does not take as it is', () => {
    expect(tomlString('a"\\\n\u007f')).toBe('"a\\"\\\\\\n\\u007F"');
  });
});
