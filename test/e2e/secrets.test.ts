import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logIn } from '../helpers/docker-config.ts';
import { startFileServer } from '../helpers/file-server.ts';
import { generateImage } from '../helpers/images.ts';
import { filesBelow, findLeaks, histories } from '../helpers/leaks.ts';
import { temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { createPusher } from '../helpers/push.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { createSealiftHome, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTokenFront } from '../helpers/token-front.ts';

// Canaries go where credentials go; then they are looked for wherever Sealift and Temporal leave something. The server is
// the embedded one, so that its database and log are in the state folder as a user has them.

const secrets = {
  wrongPassword: 'canary-wrong-7f1c2a',
  filePassword: 'canary-file-93b0de',
  environmentPassword: 'canary-env-55a1f0',
  token: 'canary-token-c41e77',
  urlPassword: 'canary-url-08d2bb',
};
const user = 'robot';

let home: SealiftHome;
let folder: TemporaryFolder;
let upstream: TestRegistry;
let tar: string;
let list: string;
/** everything that commands wrote */
let written = '';

beforeAll(async () => {
  home = await createSealiftHome();
  folder = await temporaryFolder('secrets');
  upstream = await startRegistry({ kind: 'distribution' });
  const pusher = await createPusher({ url: upstream.url });
  for (const name of ['a', 'b'])
    await pusher.push(name, 'v1', generateImage({ seed: `secret ${name}`, layers: [50_000] }));
  await pusher.close();
  tar = join(folder.path, 'bundle.tar');
  list = join(folder.path, 'images.txt');
  await writeFile(list, 'images.test/a:v1\nimages.test/b:v1\n');
});

afterAll(async () => {
  await home?.remove();
  await upstream?.stop();
  await folder?.remove();
});

/** Runs a command and remembers what it wrote. @returns its exit code */
async function command(args: string[], env: Record<string, string> = {}): Promise<number | string> {
  const { code, stdout, stderr } = await runSealift(args, { home, env });
  written += stdout + stderr;
  return code;
}

function importInto(host: string): string[] {
  return ['import', 'artifacts', '--input', tar, '--registry', host];
}

const leaksIn = (content: Buffer | string): string[] => findLeaks(content, secrets, [user]);

/** Looks at the command lines of all processes of the home until it is told to stop. */
function watchProcesses(): { stop(): Promise<Set<string>> } {
  const seen = new Set<string>();
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      for (const { commandLine } of await home.processes()) seen.add(commandLine);
      await sleep(50);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
      return seen;
    },
  };
}

describe('no secret', () => {
  it('is left in histories, database, logs, state, output and command lines', async () => {
    const processes = watchProcesses();
    const pullFrom = ['--pull-from', `images.test=${upstream.url}`];
    expect(await command(['export', 'artifacts', '--output', tar, '-f', list, ...pullFrom]), written).toBe(0);

    // a password that is wrong, then mended, in docker's configuration
    const filed = { user, password: secrets.filePassword };
    await using basic = await startRegistry({ kind: 'distribution', htpasswd: filed });
    await logIn(home, { [basic.host]: { user, password: secrets.wrongPassword } });
    expect(await command(importInto(basic.host)), written).toBe(5);
    const { operations } = (await sealiftJson(home, 'operations', ['list', 'operations'])) as {
      operations: { operation: string; status: string }[];
    };
    const { operation } = operations.find(({ status }) => status === 'parked')!;
    await command(['describe', operation]);
    await logIn(home, { [basic.host]: filed });
    expect(await command(['retry', operation]), written).toBe(0);

    // a password in the environment, exchanged for a token
    const fromEnvironment = { user, password: secrets.environmentPassword };
    await using plain = await startRegistry({ kind: 'distribution' });
    await using front = await startTokenFront(plain.url, fromEnvironment, secrets.token);
    const env = { REGISTRY_USERNAME: user, REGISTRY_PASSWORD: secrets.environmentPassword };
    expect(await command(importInto(front.host), env), written).toBe(0);
    expect(front.accepted()).toBeGreaterThan(0);

    const { address, database, log } = (await sealiftJson(home, 'server', ['server', 'status'])) as {
      address: string;
      database: string;
      log: string;
    };
    const texts = await histories(address);
    const commandLines = await processes.stop();
    expect(await command(['server', 'stop'])).toBe(0);

    // the search does find what is there, in payloads too
    expect(texts.some((text) => text.includes('hostTaskQueue'))).toBe(true);
    expect(
      texts.some((text) => text.includes(basic.host)),
      'the import is in the histories',
    ).toBe(true);
    expect(
      [...commandLines].some((line) => line.includes(basic.host)),
      'the import was seen running',
    ).toBe(true);
    const files = await filesBelow(join(home.path, 'state'));
    expect(files).toContain(database);
    expect(files).toContain(log);
    const everything = Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
    expect(everything.includes(basic.host), 'the import is in the state folder').toBe(true);

    expect(texts.flatMap(leaksIn), 'in histories').toEqual([]);
    expect([...commandLines].flatMap(leaksIn), 'in command lines').toEqual([]);
    expect(leaksIn(written), 'in what was printed').toEqual([]);
    for (const file of [...files, ...(await filesBelow(folder.path))]) {
      expect(leaksIn(await readFile(file)), file).toEqual([]);
    }
  });

  it('of a URL is taken, let alone kept: the command says where it belongs', async () => {
    await using files = await startFileServer(folder.path);
    const authority = `${user}:${secrets.urlPassword}@`;
    const output = ['--output', join(folder.path, 'url.tar')];
    const withSecret = upstream.url.replace('://', `://${authority}`);
    const listUrl = `http://${authority}${files.host}/images.txt`;
    const commandLines = [
      ['export', 'artifacts', ...output, '--source', 'images', '-f', list, '--pull-from', `images.test=${withSecret}`],
      ['export', 'artifacts', ...output, '-f', list, '--pull-from', `images.test=${withSecret}`],
      ['export', 'artifacts', ...output, '--source', 'images', '-f', listUrl],
      ['list', 'images', '--source', 'images', '-f', listUrl],
      ['import', 'artifacts', '--input', tar, '--registry', `${authority}${upstream.host}`],
      ['import', 'artifacts', '--input', `http://${authority}${files.host}/bundle.tar`, '--registry', upstream.host],
    ];
    for (const args of commandLines) {
      const { code, stdout, stderr } = await runSealift(args, { home });
      const shown = args.map((word) => word.replace(secrets.urlPassword, 'SECRET')).join(' ');
      expect(code, `${shown}\n${stderr}${stdout}`).toBe(2);
      expect(leaksIn(stdout + stderr), `${shown}\n${stderr}${stdout}`).toEqual([]);
      expect(stderr, shown).toMatch(/docker/);
    }
    for (const file of await filesBelow(join(home.path, 'state')))
      expect(leaksIn(await readFile(file)), file).toEqual([]);
  });
});
