import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Header } from 'tar';
import type { EmbeddedServer, HostPaths } from '../../contracts/host.ts';
import { projectRoot, temporaryFolder } from '../../test/helpers/paths.ts';
import { hostPaths } from '../host/paths.ts';
import { isSameProcess } from '../host/process-start-time.ts';
import { createEmbeddedServer } from './embedded-server.ts';
import { freePort } from './free-port.ts';
import { readServerRecord, writeServerRecord } from './server-record.ts';
import { temporalBinary, type TemporalBinaryOptions } from './temporal-binary.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let paths: HostPaths;
const quiet = (): undefined => undefined;

beforeEach(async () => {
  folder = await temporaryFolder('server');
  paths = hostPaths({ HOME: folder.path });
});
afterEach(() => folder.remove());

describe('createEmbeddedServer', () => {
  let servers: EmbeddedServer[];
  beforeEach(() => {
    const options = { paths, toolsRoot: projectRoot, env: { ...process.env, TEMPORAL_ADDRESS: 'ignored:1' } };
    servers = [createEmbeddedServer(options), createEmbeddedServer(options)];
  });
  afterEach(() => servers[0]?.stop());

  it('starts one server for all who ask, finds it again, stops it, and takes the same ports again', async () => {
    const [first, second] = servers as [EmbeddedServer, EmbeddedServer];
    expect(await first.status()).toBeUndefined();
    const [a, b] = await Promise.all([first.ensure(quiet), second.ensure(quiet)]);
    expect(b).toEqual(a);
    expect(a.version).toMatch(/^\d+\.\d+/);
    expect(await second.ensure(quiet)).toEqual(a);
    expect((await fetch(a.uiUrl)).status).toBe(200);

    expect(await second.stop()).toBe(true);
    expect(await first.status()).toBeUndefined();
    expect(await first.stop()).toBe(false);

    const again = await first.ensure(quiet);
    expect(again).toMatchObject({ address: a.address, uiUrl: a.uiUrl });
    expect(again.pid).not.toBe(a.pid);
  });

  it('does not take a process that got the pid for the server, and never stops it', async () => {
    const [server] = servers as [EmbeddedServer];
    const info = await server.ensure(quiet);
    await server.stop();
    await writeServerRecord(paths, { ...info, pid: process.pid, startTime: 'another' });
    expect(await server.status()).toBeUndefined();
    expect(await server.stop()).toBe(false);
  });

  it('ends a server that lives but does not listen before it starts another', async () => {
    const [server] = servers as [EmbeddedServer];
    const info = await server.ensure(quiet);
    const record = await readServerRecord(paths);
    if (record === undefined) throw new Error('no record');
    await writeServerRecord(paths, { ...record, address: `127.0.0.1:${await freePort()}` });
    const next = await server.ensure(quiet);
    expect(next.pid).not.toBe(info.pid);
    expect(await isSameProcess(record.pid, record.startTime)).toBe(false);
  });
});

describe('temporalBinary', () => {
  let options: TemporalBinaryOptions;
  let archives: Server;
  let answer: Buffer | number;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    archives = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (typeof answer === 'number') response.writeHead(answer).end();
      else response.end(answer);
    }).listen(0, '127.0.0.1');
    await once(archives, 'listening');
    const { port } = archives.address() as AddressInfo;
    options = {
      paths,
      toolsRoot: folder.path,
      env: { PATH: join(folder.path, 'bin') },
      downloadBase: `http://127.0.0.1:${port}/archive`,
      progress: quiet,
    };
    await mkdir(join(folder.path, 'tools/temporal'), { recursive: true });
    await writeFile(join(folder.path, 'tools/temporal/go.mod'), 'require github.com/temporalio/cli v9.8.7\n');
  });
  afterEach(() => archives.close());

  it('prefers PATH', async () => {
    const path = await executable(join(folder.path, 'bin/temporal'));
    expect(await temporalBinary(options)).toBe(path);
    expect(asked).toEqual([]);
  });

  it('takes what set-up built in the checkout', async () => {
    const path = await executable(join(folder.path, '.cache/bin/temporal'));
    expect(await temporalBinary(options)).toBe(path);
  });

  it('downloads the pinned version once', async () => {
    answer = archive('temporal', 'the program');
    const path = await temporalBinary(options);
    expect(path).toBe(join(paths.cache, 'bin/temporal-v9.8.7'));
    expect(await readFile(path, 'utf8')).toBe('the program');
    expect(await temporalBinary(options)).toBe(path);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/^\/archive\/v9\.8\.7\?platform=\w+&arch=(amd64|arm64)$/);
  });

  it.each([
    ['a refusal', 403, 'answered 403'],
    ['an archive without it', archive('README', 'text'), 'holds no file'],
    ['something that is no archive', Buffer.from('<html>'), 'download from'],
  ])('says everything it tried after %s', async (_name, bad, said) => {
    answer = bad;
    await expect(temporalBinary(options)).rejects.toMatchObject({
      type: 'TemporalUnreachable',
      message: expect.stringMatching(new RegExp(`${said}.*build with Go`)) as string,
    });
  });

  async function executable(path: string): Promise<string> {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, '#!/bin/sh\n');
    await chmod(path, 0o755);
    return path;
  }
});

function archive(name: string, content: string): Buffer {
  const header = new Header({ path: name, mode: 0o755, size: content.length, type: 'File' });
  const block = Buffer.alloc(512);
  header.encode(block, 0);
  const body = Buffer.alloc(512);
  body.write(content);
  return gzipSync(Buffer.concat([block, body, Buffer.alloc(1024)]));
}
