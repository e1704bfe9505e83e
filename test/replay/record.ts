// Records the histories that replay.test.ts replays, from real runs: `npm run build && npx tsx test/replay/record.ts [export|import]`.
// Recordings are kept for good: a change of the workflows that breaks one needs `patched()`. Record again for a new release only.
import type { FaultRule } from '../helpers/fault-rules.ts';
import { generateImage } from '../helpers/images.ts';
import { createProvingGround, type ProvingGround } from '../helpers/proving-ground.ts';
import { recordedRuns, serverOf, type RecordedRun } from '../helpers/recorded-runs.ts';
import { expectCode, saveRecording } from './recording.ts';

type Outcome = 'success' | 'resumed' | 'retried' | 'skipped' | 'cancelled';

/** One direction: what to run, and the faults that make it park or be slow. */
interface Direction {
  name: 'export' | 'import';
  isOf(workflowId: string, outcome: Outcome): boolean;
  args(outcome: Outcome): string[];
  /** strikes one blob */
  refusal: FaultRule;
  slow: FaultRule;
  faults: { add(...rules: FaultRule[]): void; clear(): void };
  moved(): number;
}

const SMALL_LAYERS = 80;
const LARGE_LAYER = 3_000_000;
/** of the large layer, before a worker is killed or an operation cancelled */
const ENOUGH = 1_000_000;
const always = { times: Infinity, optional: true } as const;
const slowly = { kind: 'slow', bytesPerSecond: 1_000_000 } as const;

const ground = await createProvingGround();
try {
  await record();
} finally {
  await ground[Symbol.asyncDispose]();
}

async function record(): Promise<void> {
  const { exporting, importing } = await directions(ground);
  const wanted = process.argv[2];
  for (const direction of [exporting, importing]) {
    if (wanted !== undefined && wanted !== direction.name) continue;
    for (const outcome of ['success', 'resumed', 'retried', 'skipped', 'cancelled'] as const) {
      await play(direction, outcome);
      await saveRecording(await operationOf(direction, outcome), outcome);
    }
  }
}

/** Three images whose layers make three batches of blobs. */
async function directions(at: ProvingGround): Promise<{ exporting: Direction; importing: Direction }> {
  const small = Array.from({ length: SMALL_LAYERS }, () => 100);
  const references = [
    await at.offer('team/one', 'v1', generateImage({ seed: 'one', layers: [LARGE_LAYER, ...small] })),
    await at.offer('team/two', 'v1', generateImage({ seed: 'two', layers: small })),
    await at.offer('team/three', 'v1', generateImage({ seed: 'three', layers: small })),
  ];
  const list = await at.list('images.txt', references);
  const tar = at.path('whole.tar');
  const whole = await at.run(at.exportArgs(tar, list));
  expectCode(whole, 0);
  const about = { path: /\/blobs\//, ...always } as const;
  return {
    exporting: {
      name: 'export',
      isOf: (id, outcome) => id.startsWith(`export/${outcome}.tar`),
      args: (outcome) => at.exportArgs(at.path(`${outcome}.tar`), list),
      refusal: { ...about, name: 'gone', method: 'GET', times: 1, fault: { kind: 'status', status: 404 } },
      slow: { ...about, name: 'slow', fault: { ...slowly, direction: 'down' } },
      faults: at.source,
      moved: () => at.source.downloaded(),
    },
    importing: {
      name: 'import',
      isOf: (id, outcome) => id.endsWith(`/${outcome}`),
      args: (outcome) => at.importArgs(tar, outcome),
      refusal: { ...about, name: 'refused', method: 'PUT', times: 1, fault: { kind: 'status', status: 403 } },
      slow: { ...about, name: 'slow', fault: { ...slowly, direction: 'up' } },
      faults: at.destination,
      moved: () => at.destination.uploaded(),
    },
  };
}

async function play(direction: Direction, outcome: Outcome): Promise<void> {
  const { faults, moved } = direction;
  const args = direction.args(outcome);
  const before = moved();
  const midway = (): boolean => moved() - before > ENOUGH;
  switch (outcome) {
    case 'success':
      return expectCode(await ground.run(args), 0);
    case 'retried':
    case 'skipped': {
      faults.add(direction.refusal);
      const parked = await ground.run(args);
      expectCode(parked, 5);
      faults.clear();
      const verb = outcome === 'retried' ? 'retry' : 'skip';
      return expectCode(await ground.run([verb, parked.document?.operation ?? '']), 0);
    }
    case 'resumed':
      faults.add(direction.slow);
      await ground.run(args, { kill: { when: midway } });
      faults.clear();
      return expectCode(await ground.run(args), 0);
    case 'cancelled': {
      faults.add(direction.slow);
      const running = ground.start(args);
      while (!midway()) await new Promise((resolve) => setTimeout(resolve, 20));
      expectCode(await ground.run(['cancel', (await operationOf(direction, outcome)).workflowId]), 0);
      faults.clear();
      await running.done;
    }
  }
}

async function operationOf({ name, isOf }: Direction, outcome: Outcome): Promise<RecordedRun> {
  const [run] = await recordedRuns(await serverOf(ground), (id) => id.startsWith(name) && isOf(id, outcome));
  if (run === undefined) throw new Error(`no ${name} was ${outcome}`);
  return run;
}
