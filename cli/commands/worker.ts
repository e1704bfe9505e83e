import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { openWhileLoading } from '../operations/opening.ts';
import { positiveInteger } from '../options/parse.ts';

/** `sealift worker` */
export function workerCommand(context: CommandContext): Command {
  return new Command('worker')
    .description('Work on operations until stopped.')
    .option('--idle-exit <seconds>', 'end after so long without an operation that could go on', positiveInteger)
    .action(async (options: { idleExit?: number }) => {
      const [opening, { runWorker }] = await openWhileLoading(context, () => import('../operations/run-worker.ts'));
      await runWorker(context, opening, options.idleExit);
    });
}
