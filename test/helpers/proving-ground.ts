import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import type { ErrorType, Problem } from '../../contracts/errors.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import type { GeneratedImage } from './images.ts';
import { createPusher } from './push.ts';
import { startRegistry, type RegistryCredentials, type TestRegistry } from './registry.ts';
import {
  createSealiftHome,
  runSealift,
  startSealift,
  type KillPlan,
  type RunningSealift,
  type SealiftHome,
  type SealiftResult,
} from './sealift.ts';

/** The host that the generated references name; it is read from the proxy in front of the upstream registry. */
export const origin = 'registry.example';

export interface Run extends SealiftResult {
  /** the JSON document on stdout; undefined when the command was killed before it wrote one */
  document: Document | undefined;
}

interface Document {
  kind: string;
  operation?: string;
  problems?: Problem[];
  parked?: (Problem & { item: string })[];
  warnings?: string[];
}

export interface RunOptions {
  env?: Record<string, string>;
  kill?: KillPlan;
}

/** An upstream registry, a private one, a fault proxy in front of each, and a home with its Temporal running. */
export interface ProvingGround extends AsyncDisposable {
  home: SealiftHome;
  upstream: TestRegistry;
  /** in front of upstream */
  source: FaultProxy;
  registry: TestRegistry;
  /** in front of registry */
  destination: FaultProxy;
  path(name: string): string;
  /** Puts an image into the upstream registry. @returns its reference */
  offer(repository: string, tag: string, image: GeneratedImage): Promise<string>;
  /** Writes a list of images. @returns its path */
  list(name: string, references: string[]): Promise<string>;
  /** Runs a command; its answer is read as JSON. */
  run(args: string[], options?: RunOptions): Promise<Run>;
  start(args: string[], env?: Record<string, string>): RunningSealift;
  exportArgs(output: string, file: string, ...more: string[]): string[];
  importArgs(input: string, namespace: string, ...more: string[]): string[];
  /** everything in the private registry, read past the proxy */
  verifyArgs(input: string, namespace: string): string[];
}

export async function createProvingGround(
  options: { upstreamCredentials?: RegistryCredentials; destinationCredentials?: RegistryCredentials } = {},
): Promise<ProvingGround> {
  const registryWith = (htpasswd: RegistryCredentials | undefined): Promise<TestRegistry> =>
    startRegistry({ kind: 'distribution', ...(htpasswd === undefined ? {} : { htpasswd }) });
  const home = await createSealiftHome();
  const upstream = await registryWith(options.upstreamCredentials);
  const registry = await registryWith(options.destinationCredentials);
  const source = await startFaultProxy(upstream.url);
  const destination = await startFaultProxy(registry.url);
  const { upstreamCredentials: credentials } = options;
  const pusher = await createPusher({ url: upstream.url, ...(credentials === undefined ? {} : { credentials }) });
  const run = async (args: string[], { env, kill }: RunOptions = {}): Promise<Run> => {
    const result = await runSealift([...args, '--output-format', 'json'], {
      home,
      ...(env === undefined ? {} : { env }),
      ...(kill === undefined ? {} : { kill }),
    });
    return { ...result, document: documentOf(result.stdout) };
  };
  const dispose = async (): Promise<void> => {
    await pusher.close();
    await home.remove();
    await Promise.all([source.stop(), destination.stop()]);
    await Promise.all([upstream.stop(), registry.stop()]);
  };
  const path = (name: string): string => join(home.path, name);
  const started = await run(['server', 'start']);
  if (started.code !== 0) {
    await dispose();
    throw new Error(`the Temporal server did not start:\n${started.stderr}`);
  }
  return {
    ...{ home, upstream, source, registry, destination, path, run },
    offer: async (repository, tag, image) => {
      await pusher.push(repository, tag, image);
      return `${origin}/${repository}:${tag}`;
    },
    list: async (name, references) => {
      await writeFile(path(name), `${references.join('\n')}\n`);
      return path(name);
    },
    start: (args, env) =>
      startSealift([...args, '--output-format', 'json'], { home, ...(env === undefined ? {} : { env }) }),
    exportArgs: (output, file, ...more) => [
      'export',
      'artifacts',
      '-o',
      output,
      '-f',
      file,
      '--pull-from',
      `${origin}=${source.url}`,
      ...more,
    ],
    importArgs: (input, namespace, ...more) => [
      'import',
      'artifacts',
      '-i',
      input,
      '--plain-http',
      '-r',
      `${destination.host}/${namespace}`,
      ...more,
    ],
    verifyArgs: (input, namespace) => [
      'verify',
      'artifacts',
      '-i',
      input,
      '--plain-http',
      '-r',
      `${registry.host}/${namespace}`,
    ],
    [Symbol.asyncDispose]: dispose,
  };
}

function documentOf(stdout: string): Document | undefined {
  try {
    return JSON.parse(stdout) as Document;
  } catch {
    return undefined;
  }
}

/** @throws AssertionError with everything the command wrote */
export function expectDone(run: Pick<Run, 'code' | 'stdout' | 'stderr'>, what = 'the command'): void {
  expect(run.code, `${what} ended with ${run.code}:\n${run.stdout}${run.stderr}`).toBe(0);
}

export interface ExpectedProblem {
  type: ErrorType;
  side: Problem['side'];
  subject?: string | RegExp;
  message?: string | RegExp;
  remedy?: string | RegExp;
}

/**
 * Checks how a command failed or parked: its exit code, that these problems are told, and that each is told so that a
 * person knows where, what, to what, and what to do, in the JSON and on stderr alike.
 */
export function expectProblems(run: Run, exitCode: number, expected: ExpectedProblem[]): void {
  const all = `${run.stdout}\n${run.stderr}`;
  const told = run.document?.problems ?? run.document?.parked ?? [];
  expect(run.code, all).toBe(exitCode);
  for (const { type, side, ...texts } of expected) {
    const found = told.find(
      (problem) =>
        problem.type === type &&
        problem.side === side &&
        Object.entries(texts).every(([field, text]) => matches(problem[field as keyof typeof texts], text)),
    );
    expect(found, `no ${side} ${type} with ${JSON.stringify(texts, printed)} in\n${all}`).toBeDefined();
  }
  expect(told.length, all).toBeGreaterThanOrEqual(expected.length);
  for (const problem of told) {
    for (const field of ['side', 'operation', 'subject', 'message', 'remedy'] as const) {
      expect(problem[field], `${field} of ${JSON.stringify(problem)}`).not.toBe('');
    }
    for (const text of [problem.operation, problem.subject, problem.message, problem.remedy]) {
      expect(run.stderr).toContain(text);
    }
  }
}

function matches(text: string, expected: string | RegExp): boolean {
  return typeof expected === 'string' ? text.includes(expected) : expected.test(text);
}

function printed(_key: string, value: unknown): unknown {
  return value instanceof RegExp ? value.source : value;
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
