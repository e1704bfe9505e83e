import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';

/** `sealift list operations` */
export function listOperationsCommand(context: CommandContext): Command {
  return new Command('operations')
    .description('List the operations that run, wait or have ended, the newest first.')
    .action(async () => {
      const [opening, { listOperations }] = await openWhileLoading(
        context,
        () => import('../../operations/list-operations.ts'),
      );
      context.result(await listOperations(opening));
    });
}
