import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requireTool } from '../../test/helpers/paths.ts';
import { run } from '../../test/helpers/processes.ts';
import { createServing, type Serving, type TestServer } from '../../test/helpers/serving.ts';
import { buildWheel, writeFileBundle } from '../trees/testing.ts';

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const HTML_TYPE = 'application/vnd.pypi.simple.v1+html';
/** what pip sends since 22.2 */
const PIP = `${JSON_TYPE}, ${HTML_TYPE}; q=0.1, text/html; q=0.01`;

let serving: Serving;
let input: string;

beforeAll(async () => {
  serving = await createServing();
  const wheels = [
    await buildWheel(serving.folder, { name: 'far_lib', version: '1.0', requiresPython: '>=3' }),
    await buildWheel(serving.folder, { name: 'far_lib', version: '2.0', requiresPython: '>=99' }),
  ];
  const files = wheels.map(({ name, bytes }) => ({ reference: `https://py.example/${name}`, bytes }));
  input = join(serving.folder, 'wheels.tar');
  await writeFileBundle(
    input,
    files.map((file) => ({ ...file, package: 'python' as const })),
  );
});

afterEach(() => serving.stopAll());

afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
});

/** Asks the real pip for requirements, and nothing else than this index. */
async function pip(server: TestServer, requirement: string): Promise<{ code: unknown; got: string[] }> {
  const to = join(serving.folder, 'got');
  await rm(to, { recursive: true, force: true });
  await mkdir(to);
  await writeFile(join(to, 'requirements.txt'), `${requirement}\n`);
  const index = ['--index-url', `${server.url}/pypi/simple`, '--no-cache-dir', '--disable-pip-version-check'];
  const args = ['-m', 'pip', 'install', '-r', join(to, 'requirements.txt'), '--target', join(to, 'lib'), ...index];
  const env = { PATH: process.env['PATH'] ?? '', HOME: serving.folder, PIP_CONFIG_FILE: '/dev/null' };
  const { code } = await run(await requireTool('python3'), args, { env });
  const installed = await readdir(join(to, 'lib')).catch(() => []);
  return { code, got: installed.filter((name) => name.endsWith('.dist-info')) };
}

/** Paths that were asked for, with their status. */
function asked({ log }: TestServer): string[] {
  return log.map(({ path, status }) => `${String(status)} ${String(path)}`);
}

describe('a Python index', () => {
  it('keeps pip from what is for another Python, without a download', async () => {
    const server = await serving.start({ inputs: [input] });
    expect(await pip(server, 'far-lib')).toEqual({ code: 0, got: ['far_lib-1.0.dist-info'] });
    expect(asked(server)).toEqual(['200 /pypi/simple/far-lib/', '200 /pypi/packages/far_lib-1.0-py3-none-any.whl']);
    expect(await pip(server, 'far-lib==2.0')).toEqual({ code: 1, got: [] });
    expect(asked(server).join()).not.toContain('far_lib-2.0');
  });

  it.each([
    [undefined, 'text/html; charset=utf-8'],
    ['*/*', 'text/html; charset=utf-8'],
    ['text/html', 'text/html; charset=utf-8'],
    [HTML_TYPE, HTML_TYPE],
    ['application/vnd.pypi.simple.latest+json', JSON_TYPE],
    [PIP, JSON_TYPE],
    [`text/html, ${JSON_TYPE};q=0.9`, 'text/html; charset=utf-8'],
    [`${JSON_TYPE};q=0`, 'text/html; charset=utf-8'],
    ['application/vnd.pypi.simple.v2+json', 'text/html; charset=utf-8'],
    ['constructor, ;;=, q=1', 'text/html; charset=utf-8'],
  ])('for who accepts %s is %s', async (accept, type) => {
    const { url } = await serving.start({ inputs: [input] });
    for (const path of ['', 'far-lib/']) {
      const response = await fetch(`${url}/pypi/simple/${path}`, accept === undefined ? {} : { headers: { accept } });
      expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
      expect(response.headers.get('vary')).toBe('Accept');
      const body = await response.text();
      expect(body.startsWith(type === JSON_TYPE ? '{' : '<!DOCTYPE html>')).toBe(true);
      expect(body).toContain('far-lib');
    }
  });

  it('has the same files in both forms, with digests and the Python they are for', async () => {
    const { url } = await serving.start({ inputs: [input] });
    const page = async (accept: string): Promise<string> =>
      (await fetch(`${url}/pypi/simple/far-lib/`, { headers: { accept } })).text();
    const { files } = JSON.parse(await page(JSON_TYPE)) as {
      files: { url: string; filename: string; hashes: { sha256: string }; 'requires-python': string }[];
    };
    const links = files.map(({ url, filename, hashes, ...file }) => {
      const requirement = file['requires-python'].replace('>', '&gt;');
      return `<a href="${url}#sha256=${hashes.sha256}" data-requires-python="${requirement}">${filename}</a>`;
    });
    expect((await page(HTML_TYPE)).match(/<a .*<\/a>/g)).toEqual(links);
    expect(links).toHaveLength(2);
  });

  it('tells its forms apart by entity tag', async () => {
    const { url } = await serving.start({ inputs: [input] });
    const tagOf = async (accept: string): Promise<string | null> =>
      (await fetch(`${url}/pypi/simple/`, { method: 'HEAD', headers: { accept } })).headers.get('etag');
    const tag = (await tagOf(JSON_TYPE))!;
    expect(await tagOf(HTML_TYPE)).not.toBe(tag);
    const headers = { accept: JSON_TYPE, 'if-none-match': tag };
    expect((await fetch(`${url}/pypi/simple/`, { headers })).status).toBe(304);
  });
});
