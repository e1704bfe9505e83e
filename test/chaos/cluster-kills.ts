import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { operationView, type OperationView } from '../../cli/operations/operation-view.ts';
import type { ClusterPhase } from '../../contracts/clusters.ts';
import type { Finished } from '../helpers/processes.ts';
import { runSealift, startSealift, type SealiftHome, type SealiftResult } from '../helpers/sealift.ts';
import type { Draw } from '../helpers/seeded.ts';

/** When command and worker, which are one process, are killed with -9. */
export interface KillMoment {
  phase: ClusterPhase;
  /** milliseconds after a step of the phase has begun; at the boundary, before any step has, when absent */
  afterMs?: number;
}

/** About how many milliseconds phases take that take more than one second: where moments in them are drawn from. */
const typicalMs: Partial<Record<ClusterPhase, number>> = {
  SetupAndValidate: 800,
  CreateBootstrapCluster: 6_000,
  InstallCAPI: 9_000,
  CreateWorkloadCluster: 20_000,
  UpgradeWorkloadCluster: 20_000,
  DeleteWorkloadCluster: 6_000,
  MoveManagementCluster: 5_000,
  MoveManagementToBootstrap: 5_000,
  MoveManagementToWorkload: 8_000,
  DeleteBootstrap: 2_000,
};
const OTHERWISE_MS = 400;
const LOOK_EVERY_MS = 20;
/** A step is tried seven times before it waits for a person, and a kill is a try. */
const KILLS_IN_MOVE = 5;

/** About how many milliseconds a phase takes. */
export function typicalMsOf(phase: ClusterPhase): number {
  return typicalMs[phase] ?? OTHERWISE_MS;
}

/** Kills of an operation: at the beginning of each phase, at a moment inside it, and in moves at several. */
export function momentsOf(phases: readonly ClusterPhase[], draw: Draw): KillMoment[] {
  return phases.flatMap((phase) => {
    const inside = Array.from({ length: phase.startsWith('MoveManagement') ? KILLS_IN_MOVE : 1 }, () => ({
      phase,
      afterMs: draw.between(0, typicalMsOf(phase)),
    }));
    return [{ phase }, ...inside];
  });
}

export interface KilledRun {
  /** of the command that came to its end */
  last: SealiftResult;
  /** what was killed where, a line each */
  kills: string[];
  /** moments that never came, because their phase was over */
  missed: string[];
}

export interface KilledOperation {
  home: SealiftHome;
  /** of its workflow */
  id: string;
  args: string[];
  /** in the order that the operation goes through them */
  phases: readonly ClusterPhase[];
  /** in the order of their phases */
  moments: readonly KillMoment[];
  /** after each kill, while nothing of Sealift's runs but what outlives it */
  afterKill?: (phase: ClusterPhase) => Promise<void>;
}

/** Runs an operation's command until it is killed, again and again, and then to its end. */
export async function runKilled(operation: KilledOperation): Promise<KilledRun> {
  await using watcher = await watchOperation(operation.home, operation.id);
  const left = [...operation.moments];
  const kills: string[] = [];
  const missed: string[] = [];
  for (;;) {
    const due = killDue(watcher, operation.phases, left, missed);
    const run = await runSealift(operation.args, { home: operation.home, kill: { when: due.asked } });
    if (!run.killed) return { last: run, kills, missed: [...missed, ...left.map(nameOf)] };
    const moment = left.shift()!;
    watcher.forget();
    kills.push(`${nameOf(moment)} (${due.during()})`);
    await operation.afterKill?.(moment.phase);
  }
}

export interface CancelledRun {
  last: Finished;
  /** what was under way; undefined when it was over before */
  during: string | undefined;
}

/** Runs an operation's command, and cancels the operation at a moment, as `sealift cancel` does, or right after its phase. */
export async function runCancelled(
  operation: Pick<KilledOperation, 'home' | 'id' | 'args' | 'phases'>,
  moment: KillMoment,
): Promise<CancelledRun> {
  await using watcher = await watchOperation(operation.home, operation.id);
  const left = [moment];
  const due = killDue(watcher, operation.phases, left, []);
  const running = startSealift(operation.args, { home: operation.home });
  let ended = false;
  void running.done.then(() => (ended = true));
  while (!ended && left.length > 0 && !(await due.asked()));
  const during = ended ? undefined : left.length > 0 ? due.during() : 'its phase was over';
  if (!ended) await watcher.cancel();
  return { last: await running.done, during };
}

/** For a person. */
export function nameOf({ phase, afterMs }: KillMoment): string {
  return afterMs === undefined ? `${phase}: beginning` : `${phase}: after ${afterMs} ms`;
}

interface KillDue {
  asked(): Promise<boolean>;
  /** what was under way when it was due */
  during(): string;
}

/** Whether the next moment has come; moments of phases that are over are missed. */
function killDue(
  watcher: OperationWatcher,
  phases: readonly ClusterPhase[],
  left: KillMoment[],
  missed: string[],
): KillDue {
  let began: number | undefined;
  let seen = '';
  return {
    during: () => seen,
    async asked() {
      // a look costs the server something: that is for those who work
      await sleep(LOOK_EVERY_MS);
      const { phase, begun, steps } = await watcher.look();
      const at = phases.indexOf(phase as ClusterPhase);
      while (left[0] !== undefined && phases.indexOf(left[0].phase) < at) {
        missed.push(nameOf(left.shift()!));
        began = undefined;
      }
      const [next] = left;
      if (next?.phase !== phase) return false;
      seen = steps === '' ? 'no step under way' : steps;
      if (next.afterMs === undefined) return true;
      if (begun) began ??= performance.now();
      return began !== undefined && performance.now() - began >= next.afterMs;
    },
  };
}

interface OperationWatcher extends AsyncDisposable {
  /** @returns begun: a step that was not under way at the last kill is so now */
  look(): Promise<{ phase: string; begun: boolean; steps: string }>;
  /** The steps under way have lost their worker. */
  forget(): void;
  cancel(): Promise<void>;
}

/** Looks at what Temporal says of an operation. */
async function watchOperation(home: SealiftHome, id: string): Promise<OperationWatcher> {
  const connection = await Connection.connect({ address: home.env['TEMPORAL_ADDRESS']! });
  const client = new Client({ connection, namespace: home.env['TEMPORAL_NAMESPACE']! });
  let dead = new Set<string>();
  let latest: string[] = [];
  return {
    async look() {
      const view = await describe(client, id);
      const attempts = view?.status === 'RUNNING' ? view.activities.filter(({ started }) => started) : [];
      latest = attempts.map((attempt) => `${attempt.id}#${attempt.attempt}`);
      return {
        phase: view?.status === 'RUNNING' ? (view.state?.phase ?? '') : '',
        begun: latest.some((attempt) => !dead.has(attempt)),
        steps: attempts.map(({ name, attempt }) => (attempt === 1 ? name : `${name}, try ${attempt}`)).join(', '),
      };
    },
    forget() {
      dead = new Set(latest);
    },
    async cancel() {
      await client.workflow.getHandle(id).cancel();
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

async function describe(client: Client, id: string): Promise<OperationView | undefined> {
  try {
    return await operationView(client, await client.workflow.getHandle(id).describe());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
