import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../helpers/paths.ts';
import { startRegistry } from '../helpers/registry.ts';
import { createSealiftHome } from '../helpers/sealift.ts';
import { startTemporal } from '../helpers/temporal.ts';
import { prepareCorpus, type ImageSet } from './corpus.ts';
import { inTurn, median, secondsOf, table, type Contender } from './measure.ts';
import {
  costOf,
  exportArguments,
  exportOurs,
  fixedCosts,
  importArguments,
  importOurs,
  sealift,
  startOurs,
  writeList,
  type Ours,
} from './ours.ts';
import { exportPeers, importPeers, noopPeers, type Bench } from './peers.ts';
import { benchServe } from './serve.ts';

const parts = ['export', 'import', 'noop', 'serve', 'fixed'] as const;
type Part = (typeof parts)[number];

interface Settings {
  runs: number;
  parts: Part[];
  /** measures the peers alone: says what a machine can do */
  peersOnly: boolean;
}

function settings(): Settings {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true, default: [...parts] },
      'peers-only': { type: 'boolean', default: false },
    },
  });
  const chosen = parts.filter((part) => values.only.includes(part));
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1 || chosen.length === 0) {
    throw new Error(`usage: run.ts [--runs N] [--only ${parts.join('|')}] [--peers-only]`);
  }
  return { runs, parts: chosen, peersOnly: values['peers-only'] };
}

/** Progress to stderr, results to stdout. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n\n`);
}

async function runExport(bench: Bench, ours: Ours | undefined, runs: number): Promise<void> {
  const [set] = bench.corpus.sets;
  const list = await writeList(bench, 'corpus.txt', set.images);
  const output = join(bench.folder, 'corpus.tar');
  const mine = ours === undefined ? [] : [exportOurs(ours.home, list, output)];
  print(table('Export to one file', await inTurn([...mine, ...(await exportPeers(bench, set))], runs, say)));
  const [first] = mine;
  if (ours === undefined || first === undefined) return;
  await first.prepare();
  print((await costOf(ours, 'export', set.blobs, output, () => first.run())).join('\n'));
  await using alone = await createSealiftHome(ours.temporal.env);
  // the running worker belongs to another home, so this command has to bring its own
  const without: Contender = { ...exportOurs(alone, list, output), name: 'sealift export, no worker running' };
  await without.prepare();
  print(`  export with a server but no worker running  ${(await secondsOf(() => without.run())).toFixed(2)} s`);
}

async function runImports(bench: Bench, ours: Ours | undefined, runs: number): Promise<void> {
  for (const set of bench.corpus.sets) await runImport(bench, set, ours, runs);
}

async function runImport(bench: Bench, set: ImageSet, ours: Ours | undefined, runs: number): Promise<void> {
  const mine: Contender[] = [];
  const bundle = join(bench.folder, 'import.tar');
  if (ours !== undefined) {
    const list = await writeList(bench, 'import.txt', set.images);
    await sealift(ours.home, [...exportArguments(list, bundle), '--force']);
    mine.push(importOurs(ours.home, bundle, bench));
  }
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  const title = `Import into an empty registry: ${set.name}, ${gigabytes(set.bytes)}, image by image ${gigabytes(set.bytesOneByOne)}`;
  print(table(title, await inTurn([...mine, ...(await importPeers(bench, set))], runs, say)));
  const [first] = mine;
  if (ours === undefined || first === undefined) return;
  await first.prepare();
  print((await costOf(ours, 'import', set.blobs, bundle, () => first.run())).join('\n'));
}

async function runNoop(bench: Bench, ours: Ours | undefined, runs: number): Promise<void> {
  const mine: Contender[] = [];
  const peers = await noopPeers(bench);
  await bench.destination.restart({ empty: true });
  if (ours === undefined) {
    say('filling the destination');
    for (const peer of peers) await peer.run();
  } else {
    say('exporting and importing 1,000 tiny images');
    const bundle = join(bench.folder, 'tiny.tar');
    const exporting = exportArguments(await writeList(bench, 'tiny.txt', bench.corpus.tiny), bundle);
    const args = importArguments(bundle, bench);
    const blobs = bench.corpus.tiny.flatMap(({ image }) => image.blobs).length;
    // here and not with the large images: of 80 blobs, a history is mostly what any operation costs
    print((await costOf(ours, 'export', blobs, bundle, () => sealift(ours.home, exporting))).join('\n'));
    print((await costOf(ours, 'import', blobs, bundle, () => sealift(ours.home, args))).join('\n'));
    mine.push({
      name: 'sealift import',
      ours: true,
      prepare: () => Promise.resolve(),
      run: () => sealift(ours.home, args),
    });
  }
  print(table('Import of 1,000 images that are all there', await inTurn([...mine, ...peers], runs, say)));
}

async function runFixed(bench: Bench, runs: number): Promise<void> {
  const { cold, warm } = await fixedCosts(bench, runs);
  const line = (name: string, seconds: number[]): string => `  ${name}  ${median(seconds).toFixed(2)} s`;
  print(['Export of one tiny image (median)', line('nothing running', cold), line('server running', warm)].join('\n'));
}

async function main({ runs, parts: chosen, peersOnly }: Settings): Promise<void> {
  const corpus = await prepareCorpus(say);
  await using folder = await temporaryFolder('bench');
  await using source = await startRegistry({ kind: 'distribution', dir: corpus.registry });
  await using destination = await startRegistry({ kind: 'distribution' });
  await using temporal = await startTemporal();
  const bench: Bench = { corpus, source, destination, folder: folder.path };
  const needsOurs = !peersOnly && chosen.some((part) => part !== 'fixed');
  const ours = needsOurs ? await startOurs(temporal, bench) : undefined;
  try {
    if (chosen.includes('export')) await runExport(bench, ours, runs);
    if (chosen.includes('import')) await runImports(bench, ours, runs);
    if (chosen.includes('noop')) await runNoop(bench, ours, runs);
    if (chosen.includes('serve') && ours !== undefined) {
      print((await benchServe(bench, ours, runs, say)).join('\n'));
    }
    if (chosen.includes('fixed') && !peersOnly) await runFixed(bench, runs);
  } finally {
    await ours?.stop();
  }
}

await main(settings());
