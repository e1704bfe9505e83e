import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { workflowTypes, type OperationName } from '../../contracts/operations.ts';
import { createSealiftHome, runSealift, startSealift, type SealiftHome } from '../helpers/sealift.ts';
import type { TestTemporal } from '../helpers/temporal.ts';
import type { CorpusImage } from './corpus.ts';
import { bytesWritten, peakMemory, secondsOf, type Contender } from './measure.ts';
import type { Bench } from './peers.ts';

export interface Ours {
  home: SealiftHome;
  temporal: TestTemporal;
  /** pid of the `sealift worker` that does the work */
  worker: number;
  stop(): Promise<void>;
}

/** Starts a worker against a running server and waits until it has done something. */
export async function startOurs(temporal: TestTemporal, bench: Bench): Promise<Ours> {
  const home = await createSealiftHome(temporal.env);
  const worker = startSealift(['worker'], { home });
  const ended = worker.done.then(({ code, stderr }) => {
    throw new Error(`sealift worker ended with ${code}:\n${stderr}`);
  });
  const stop = async (): Promise<void> => {
    ended.catch(() => undefined);
    await home.remove();
  };
  try {
    const list = await writeList(bench, 'warm-up.txt', bench.corpus.tiny.slice(0, 1));
    await Promise.race([ended, sealift(home, exportArguments(list, join(bench.folder, 'warm-up.tar')))]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { home, temporal, worker: worker.pid, stop };
}

/** Runs the command. @throws Error with its stderr when it fails */
export async function sealift(home: SealiftHome, args: string[]): Promise<void> {
  const { code, stderr } = await runSealift(args, { home });
  if (code !== 0) throw new Error(`sealift ${args.join(' ')} ended with ${code}:\n${stderr}`);
}

/** An input file for the source `images`. @returns its path */
export async function writeList(bench: Bench, name: string, images: CorpusImage[]): Promise<string> {
  const path = join(bench.folder, name);
  const lines = images.map(({ repository, tag }) => `${bench.source.host}/${repository}:${tag}\n`);
  await writeFile(path, lines.join(''));
  return path;
}

export function exportArguments(list: string, output: string): string[] {
  return ['export', 'artifacts', '--source', 'images', '-f', list, '--output', output];
}

export function importArguments(input: string, bench: Bench): string[] {
  return ['import', 'artifacts', '--input', input, '--registry', bench.destination.host, '--plain-http'];
}

/** The whole command, with server and worker running. */
export function exportOurs(home: SealiftHome, list: string, output: string): Contender {
  return {
    name: 'sealift export',
    ours: true,
    prepare: () => rm(output, { force: true }),
    run: () => sealift(home, exportArguments(list, output)),
  };
}

export function importOurs(home: SealiftHome, input: string, bench: Bench): Contender {
  return {
    name: 'sealift import',
    ours: true,
    prepare: () => bench.destination.restart({ empty: true }),
    run: () => sealift(home, importArguments(input, bench)),
  };
}

/** What one operation costs beside time, as lines to print. */
export async function costOf(
  ours: Ours,
  operation: OperationName,
  blobs: number,
  bundle: string,
  work: () => Promise<void>,
): Promise<string[]> {
  const since = new Date();
  const before = await bytesWritten(ours.worker);
  await work();
  const written = (await bytesWritten(ours.worker)) - before;
  const { size } = await stat(bundle);
  const events = await historyEvents(ours.temporal, operation, since);
  return [
    `  ${operation} of ${blobs} blobs: bytes written by the worker per bundle byte  ${(written / size).toFixed(3)}`,
    `  ${operation} of ${blobs} blobs: history events  ${events}, per 1,000 blobs  ${((1_000 * events) / blobs).toFixed(0)}`,
    `  worker's peak memory so far  ${((await peakMemory(ours.worker)) / 1e6).toFixed(0)} MB`,
  ];
}

/** Of all runs of this kind since then: continue-as-new must not hide events. */
async function historyEvents(temporal: TestTemporal, operation: OperationName, since: Date): Promise<number> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const client = new Client({ connection, namespace: temporal.namespace });
    const query = `WorkflowType = "${workflowTypes[operation]}" AND StartTime >= "${since.toISOString()}"`;
    // visibility follows the history with a delay
    for (let tries = 0; tries < 50; tries += 1) {
      const lengths: number[] = [];
      let running = false;
      for await (const { historyLength, status } of client.workflow.list({ query })) {
        lengths.push(historyLength);
        running ||= status.name === 'RUNNING';
      }
      if (lengths.length > 0 && !running) return lengths.reduce((sum, length) => sum + length, 0);
      await sleep(100);
    }
    throw new Error(`no closed ${operation} was found in the server's list`);
  } finally {
    await connection.close();
  }
}

/** An export of one tiny image in a fresh home, embedded server and worker start included; and again after it. */
export async function fixedCosts(bench: Bench, runs: number): Promise<{ cold: number[]; warm: number[] }> {
  const list = await writeList(bench, 'one.txt', bench.corpus.tiny.slice(0, 1));
  const output = join(bench.folder, 'one.tar');
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < runs; round += 1) {
    await using home = await createSealiftHome();
    for (const seconds of [cold, warm]) {
      await rm(output, { force: true });
      seconds.push(await secondsOf(() => sealift(home, exportArguments(list, output))));
    }
  }
  return { cold, warm };
}
