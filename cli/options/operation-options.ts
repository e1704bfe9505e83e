import { Option, type Command } from 'commander';
import type { OnFailure } from '../../contracts/run-options.ts';
import { positiveInteger } from './parse.ts';

/** What the options say about how an operation is run. */
export interface RunOptions {
  concurrency: number;
  onFailure: OnFailure;
  detach?: boolean;
}

const DEFAULT_CONCURRENCY = 4;

/** Adds the options of every command that starts an operation. */
export function addRunOptions(command: Command): Command {
  return addDetachOption(command)
    .addOption(
      new Option('--concurrency <n>', 'how many things are moved at once')
        .default(DEFAULT_CONCURRENCY)
        .argParser(positiveInteger),
    )
    .addOption(
      new Option('--on-failure <what>', 'when some items still fail at the end: wait for retry, skip or abort, or fail')
        .choices(['park', 'fail'])
        .default('park'),
    );
}

export function addDetachOption(command: Command): Command {
  return command.option('--detach', 'leave the work to a worker in the background and print the id of the operation');
}
