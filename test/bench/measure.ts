import { readFile } from 'node:fs/promises';

/** Something that does the job under test, ours or a peer. */
export interface Contender {
  name: string;
  ours?: true;
  /** not timed: clears away what the last run left */
  prepare(): Promise<void>;
  run(): Promise<void>;
  /** what `run` is to be multiplied by, when it does a part of the job */
  scale?: number;
}

export interface Measured {
  name: string;
  ours: boolean;
  /** seconds, one for each run, in order */
  seconds: number[];
}

export function median(values: number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? NaN)) / 2 : upper;
}

export async function secondsOf(work: () => Promise<void>): Promise<number> {
  const before = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - before) / 1e9;
}

/**
 * Runs the contenders in turn (A B C, A B C, ...), so that a machine that gets slower or faster does so for all.
 * @param say told after each run
 */
export async function inTurn(contenders: Contender[], runs: number, say: (line: string) => void): Promise<Measured[]> {
  const measured = contenders.map(({ name, ours }) => ({ name, ours: ours === true, seconds: [] as number[] }));
  for (let round = 1; round <= runs; round += 1) {
    for (const [position, contender] of contenders.entries()) {
      await contender.prepare();
      const seconds = (await secondsOf(() => contender.run())) * (contender.scale ?? 1);
      measured[position]?.seconds.push(seconds);
      say(`  run ${round}/${runs}  ${contender.name}  ${seconds.toFixed(2)} s`);
    }
  }
  return measured;
}

/** min, median, max, and our median over each peer's. */
export function table(title: string, measured: Measured[]): string {
  const ours = measured.find((one) => one.ours);
  const rows = measured.map(({ name, ours: isOurs, seconds }) => {
    const figures = [Math.min(...seconds), median(seconds), Math.max(...seconds)].map((value) => value.toFixed(2));
    const ratio = ours === undefined || isOurs ? '' : (median(ours.seconds) / median(seconds)).toFixed(2);
    return [name, ...figures, ratio];
  });
  const lines = [['', 'min s', 'median s', 'max s', 'ours/theirs'], ...rows];
  const width = Math.max(...lines.map(([name = '']) => name.length));
  return [
    title,
    ...lines.map(
      ([name = '', ...cells]) => `  ${name.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join('')}`,
    ),
  ].join('\n');
}

/** Bytes a process has caused to be written to a block device (proc(5), /proc/pid/io). */
export async function bytesWritten(pid: number): Promise<number> {
  return numberIn(`/proc/${pid}/io`, /^write_bytes: (\d+)$/m);
}

/** Peak resident memory of a process, bytes (proc(5), VmHWM). */
export async function peakMemory(pid: number): Promise<number> {
  return 1024 * (await numberIn(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB$/m));
}

async function numberIn(path: string, pattern: RegExp): Promise<number> {
  const [, digits] = pattern.exec(await readFile(path, 'utf8')) ?? [];
  if (digits === undefined) throw new Error(`${path} has no ${pattern.source}`);
  return Number(digits);
}
