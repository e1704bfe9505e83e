import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy, type Exchange } from '../helpers/fault-proxy.ts';
import { registryError, type Fault, type FaultRule } from '../helpers/fault-rules.ts';
import { generateImage } from '../helpers/images.ts';
import {
  createProvingGround,
  expectDone,
  expectProblems,
  type ProvingGround,
  type RunOptions,
} from '../helpers/proving-ground.ts';
import { wholeTags } from '../helpers/visible-tags.ts';

const credentials = { user: 'writer', password: 'a-password-to-write' };
const environment = { REGISTRY_USERNAME: credentials.user, REGISTRY_PASSWORD: credentials.password };
const withCredentials: RunOptions = { env: environment };
const LARGE = 6_000_000;
const HALF = LARGE / 2;
const always = { times: Infinity };
let ground: ProvingGround;
let input: string;

beforeAll(async () => {
  ground = await createProvingGround({ destinationCredentials: credentials });
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  const names = ['one', 'two', 'three', 'four', 'five'];
  const references = await Promise.all(
    names.map((seed) => ground.offer(`team/${seed}`, 'v1', generateImage({ seed, layers: [LARGE, 20_000] }))),
  );
  input = ground.path('bundle.tar');
  const list = await ground.list('images.txt', references);
  expectDone(await ground.run(ground.exportArgs(input, list)));
});

afterEach(() => ground.destination.clear());

const status = (code: number, headers: Record<string, string> = {}): Fault => ({
  kind: 'status',
  status: code,
  headers,
  body: registryError('FAULT', 'made by a test'),
});

function rule(
  namespace: string,
  name: string,
  method: string,
  path: string,
  fault: Fault,
  more: Partial<FaultRule> = {},
) {
  return { name, method, path: new RegExp(`^/v2/${namespace}/${path}`), fault, ...more };
}

function sentTo(namespace: string): Exchange[] {
  return ground.destination.exchanges.filter(({ path }) => path.startsWith(`/v2/${namespace}/`));
}

/** Bytes of blobs that went up. */
function bytesTo(namespace: string): number {
  return sentTo(namespace).reduce((sum, { path, up }) => sum + (path.includes('/blobs/uploads/') ? up : 0), 0);
}

async function bytesOfBlobs(): Promise<number> {
  const verified = await ground.run(['verify', 'artifacts', '-i', input]);
  return (JSON.parse(verified.stdout) as { bytes: number }).bytes;
}

async function expectComplete(namespace: string): Promise<void> {
  expectDone(await ground.run(ground.verifyArgs(input, namespace), withCredentials), 'verify');
}

describe('faults of the destination that pass', () => {
  it('cost nothing but time, and large blobs go on where they were', async () => {
    const namespace = 'passing';
    const add = (name: string, method: string, path: string, fault: Fault, more: Partial<FaultRule> = {}): void =>
      ground.destination.add(rule(namespace, name, method, path, fault, more));
    add('429 for a question', 'HEAD', 'team/one/blobs/', status(429, { 'retry-after': '1' }));
    add('500 for a question', 'HEAD', 'team/two/blobs/', status(500), { times: 2 });
    add('no answer to a question', 'HEAD', 'team/three/manifests/', { kind: 'drop' });
    add('reset in a blob', 'PATCH', 'team/one/blobs/uploads/', { kind: 'reset', direction: 'up', afterBytes: HALF });
    add('stall in a blob', 'PATCH', 'team/two/blobs/uploads/', { kind: 'stall', direction: 'up', afterBytes: HALF });
    add('500 for a blob', 'PATCH', 'team/three/blobs/uploads/', status(500));
    add('429 for a blob', 'PATCH', 'team/four/blobs/uploads/', status(429, { 'retry-after': '1' }));
    add('500 after a small blob', 'PUT', 'team/four/blobs/uploads/', { kind: 'restatus', status: 500 });
    add('500 for a manifest', 'PUT', 'team/five/manifests/', status(500));
    const run = await ground.run(ground.importArgs(input, namespace), {
      env: { ...environment, SEALIFT_STALL_SECONDS: '1' },
    });
    expectDone(run);
    ground.destination.expectAllUsed();
    await expectComplete(namespace);
    // the answers that came from the proxy took a blob's bytes and gave them to nobody: those are not counted as sent
    expect(bytesTo(namespace)).toBeLessThan((await bytesOfBlobs()) + HALF);
  });
});

describe('what an operator can mend in the destination', () => {
  it('parks before a byte is sent, every repository told; retry finishes', async () => {
    const namespace = 'refusing';
    ground.destination.add(
      rule(namespace, '403', 'POST', 'team/one/blobs/uploads/', status(403), always),
      rule(namespace, '404', 'POST', 'team/two/blobs/uploads/', status(404), always),
    );
    const parked = await ground.run(ground.importArgs(input, namespace), withCredentials);
    expectProblems(parked, 5, [
      { type: 'RegistryForbidden', side: 'destination', subject: `${namespace}/team/one`, remedy: 'right to push' },
      { type: 'RepositoryMissing', side: 'destination', subject: `${namespace}/team/two`, remedy: /create/ },
    ]);
    expect(bytesTo(namespace)).toBe(0);
    ground.destination.clear();
    expectDone(await ground.run(['retry', parked.document!.operation!], withCredentials), 'retry');
    await expectComplete(namespace);
    expect(bytesTo(namespace)).toBeLessThan((await bytesOfBlobs()) + 1_000_000);
  });

  it('without credentials parks as unauthorized, and nothing is visible', async () => {
    const namespace = 'unknown';
    const parked = await ground.run(ground.importArgs(input, namespace));
    expectProblems(parked, 5, [{ type: 'RegistryUnauthorized', side: 'destination', remedy: /log in/ }]);
    expect(bytesTo(namespace)).toBe(0);
    expectDone(await ground.run(['retry', parked.document!.operation!], withCredentials), 'retry');
    await expectComplete(namespace);
  });

  it('a blob or manifest that is refused parks alone: the rest is published', async () => {
    const namespace = 'partly';
    ground.destination.add(
      rule(namespace, '403 for a blob', 'PATCH', 'team/one/blobs/uploads/', status(403), always),
      rule(namespace, '413 for a manifest', 'PUT', 'team/two/manifests/', status(413), always),
    );
    const args = ground.importArgs(input, namespace);
    const first = await ground.run(args, withCredentials);
    expectProblems(first, 5, [{ type: 'RegistryForbidden', side: 'destination', subject: 'team/one@sha256:' }]);
    const id = first.document!.operation!;
    ground.destination.clear();
    ground.destination.add(rule(namespace, '413 for a manifest', 'PUT', 'team/two/manifests/', status(413), always));
    const second = await ground.run(['retry', id], withCredentials);
    expectProblems(second, 5, [{ type: 'RequestRefused', side: 'destination', subject: 'team/two', message: '413' }]);
    const puller = {
      authorization: `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`,
    };
    const tags = await wholeTags(ground.registry.url, namespace, puller);
    expect(tags).toContain(`${namespace}/team/one:v1`);
    expect(tags).not.toContain(`${namespace}/team/two:v1`);
    ground.destination.clear();
    expectDone(await ground.run(['retry', id], withCredentials), 'retry');
    await expectComplete(namespace);
  });
});

describe('an upload that is sent to another host', () => {
  it('goes there without the credentials', async () => {
    const namespace = 'elsewhere';
    const nobody = { name: 'knows no session', path: /./, times: Infinity, fault: status(404) };
    await using elsewhere = await startFaultProxy(ground.registry.url, [nobody]);
    const location = `${elsewhere.url}/v2/${namespace}/team/one/blobs/uploads/none`;
    // the first is the question whether it may write
    const some = {
      name: 'another host',
      method: 'POST',
      path: /\/team\/one\/blobs\/uploads\//,
      occurrence: 2,
      times: 3,
    };
    ground.destination.add({ ...some, fault: { kind: 'headers', headers: { location } } });
    expectDone(await ground.run(ground.importArgs(input, namespace, '--concurrency', '1'), withCredentials));
    ground.destination.expectAllUsed();
    expect(elsewhere.exchanges.length, 'requests that followed').toBeGreaterThan(0);
    expect(elsewhere.exchanges.filter(({ authorized }) => authorized)).toEqual([]);
    await expectComplete(namespace);
  });
});
