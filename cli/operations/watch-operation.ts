import type { SealiftHost } from '../../contracts/host.ts';
import { OperationFailedError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { operationResultDocument, parkedDocument, type OperationPlace } from '../display/result/operation-result.ts';
import { worksInBackground, type CommandWorker } from './command-worker.ts';
import { describeOperation } from './find-operation.ts';
import { followOperation, type Outcome } from './follow-operation.ts';
import { DETACHED_EXIT_CODE, leaveOnInterrupt } from './interruption.ts';
import { uiLink, type Session } from './session.ts';

const BACKGROUND_IDLE_SECONDS = 60;
const PARKED_EXIT_CODE = 5;

export interface WatchOptions {
  context: CommandContext;
  host: SealiftHost;
  session: Session;
  worker: CommandWorker;
  id: string;
}

/**
 * Watches an operation to its end with a worker inside the command, and says how it ended: result on stdout, everything
 * else on stderr. Sets the exit code.
 *
 * @param say tells how it ended
 * @throws OperationFailedError with the operation's problems
 */
export async function watchOperation(options: WatchOptions, say = sayOutcome): Promise<void> {
  const { context, host, session, worker, id } = options;
  const status = context.status();
  const { left, release } = leaveOnInterrupt(context.terminal);
  try {
    const outcome = await followOperation({ session, id, workers: host.workers, worker, status, left });
    status.end();
    if (outcome.kind === 'detached') await sayDetached(options);
    // the result may take a moment to be asked for, and the worker to end: both at once
    const [place] = await Promise.all([operationPlace(session, id), worker.stop()]);
    say(context, place, outcome);
  } finally {
    release();
    await worker.stop();
  }
}

/** Leaves the work to a background worker, started when none runs, and prints where the operation is. */
export async function leaveInBackground({ context, host, session, id }: WatchOptions): Promise<void> {
  if (!(await worksInBackground(host, session.target)))
    await host.workers.spawn(session.target, BACKGROUND_IDLE_SECONDS);
  const place = await operationPlace(session, id);
  context.result(detachedDocument(place));
}

/** Where an operation's last run is. */
export async function operationPlace(session: Session, id: string): Promise<OperationPlace> {
  const description = await describeOperation(session.client, id);
  return { id, ui: description === undefined ? undefined : uiLink(session, id, description.runId) };
}

/** Prints a result, or what is parked, and sets the exit code. @throws OperationFailedError */
export function sayOutcome(context: CommandContext, place: OperationPlace, outcome: Outcome): void {
  switch (outcome.kind) {
    case 'completed':
      context.result(operationResultDocument(place, outcome.result));
      return;
    case 'parked': {
      const document = parkedDocument(place, outcome.parked, outcome.parkedCount);
      context.terminal.stderr.write(document.text);
      context.result({ text: '', json: document.json });
      context.exitCode = PARKED_EXIT_CODE;
      return;
    }
    case 'failed':
      if (place.ui !== undefined) context.status().note(`Temporal UI: ${place.ui}`);
      throw new OperationFailedError(outcome.problems, outcome.exitCode);
    case 'detached':
      context.result({ text: '', json: detachedDocument(place).json });
      context.exitCode = DETACHED_EXIT_CODE;
  }
}

function detachedDocument(place: OperationPlace) {
  const ui = place.ui === undefined ? '' : `Temporal UI: ${place.ui}\n`;
  return { text: `${place.id}\n${ui}`, json: { kind: 'detached', operation: place.id, ui: place.ui ?? null } };
}

async function sayDetached({ context, host, session, worker, id }: WatchOptions): Promise<void> {
  const status = context.status();
  const goesOn = await worksInBackground(host, session.target);
  status.note(`Detached from ${id}.`);
  status.note(
    goesOn
      ? '  It goes on in the worker that runs in the background.'
      : '  It waits, with everything it has, until a worker runs: the command below, the same command again, or `sealift worker`.',
  );
  status.note(`  Come back with: sealift watch ${id}`);
  if (!goesOn) await worker.stop();
}
