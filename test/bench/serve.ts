import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireTool } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { startSealift } from '../helpers/sealift.ts';
import { inTurn, peakMemory, table, type Contender } from './measure.ts';
import { exportArguments, sealift, writeList, type Ours } from './ours.ts';
import type { Bench } from './peers.ts';

/** Downloads of the largest layer, by one client and by eight at once: from a served bundle, and from the registry it came from. */
export async function benchServe(
  bench: Bench,
  ours: Ours,
  runs: number,
  say: (line: string) => void,
): Promise<string[]> {
  const [image] = bench.corpus.sets[0].images;
  if (image === undefined) throw new Error('the corpus is empty');
  const largest = image.image.blobs.reduce((found, blob) => (blob.size > found.size ? blob : found));
  const bundle = join(bench.folder, 'served.tar');
  await sealift(ours.home, exportArguments(await writeList(bench, 'served.txt', [image]), bundle));
  const path = `/v2/${image.repository}/blobs/${largest.digest}`;
  const server = startSealift(['serve', '--input', bundle, '--listen', '127.0.0.1:0'], { home: ours.home });
  try {
    while (!server.stdout().includes('\n')) await sleep(20);
    const [, url = ''] = /(http:\S+)/.exec(server.stdout()) ?? [];
    const results: string[] = [];
    for (const clients of [1, 8]) {
      const contenders = [
        { ...downloads('sealift serve', url + path, clients), ours: true as const },
        downloads('distribution registry', bench.source.url + path, clients),
      ];
      const megabytes = (largest.size / 1e6).toFixed(0);
      results.push(table(`A blob of ${megabytes} MB, clients: ${clients}`, await inTurn(contenders, runs, say)));
    }
    const megabytes = ((await peakMemory(server.pid)) / 1e6).toFixed(0);
    return [...results, `  peak memory of sealift serve  ${megabytes} MB`];
  } finally {
    server.kill();
    await server.done;
  }
}

function downloads(name: string, url: string, clients: number): Contender {
  return {
    name,
    prepare: () => Promise.resolve(),
    async run() {
      const curl = await requireTool('curl');
      await Promise.all(Array.from({ length: clients }, () => runOk(curl, ['-sS', '-f', '-o', '/dev/null', url])));
    },
  };
}
