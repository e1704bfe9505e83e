import { Command } from 'commander';
import type { CommandContext } from '../../context.ts';
import { openWhileLoading } from '../../operations/opening.ts';
import { addDetachOption } from '../../options/operation-options.ts';
import { collect } from '../../options/parse.ts';

const ARGUMENT = 'its id, or the beginning of it if no other begins so';

/** `sealift describe OPERATION` */
export function describeCommand(context: CommandContext): Command {
  return operationCommand('describe', 'Show where an operation is, what is wrong and what to do.').action(
    async (id: string) => {
      const [opening, { describe }] = await openWhileLoading(
        context,
        () => import('../../operations/describe-operation.ts'),
      );
      await describe(context, opening, id);
    },
  );
}

/** `sealift watch OPERATION` */
export function watchCommand(context: CommandContext): Command {
  return operationCommand('watch', 'Watch an operation to its end, working on it if no worker runs.').action(
    async (id: string) => {
      const [opening, { watch }] = await loadActions(context);
      await watch(context, opening, id);
    },
  );
}

/** `sealift retry OPERATION` */
export function retryCommand(context: CommandContext): Command {
  return decisionCommand(context, 'retry', 'Go on with a parked operation; nothing is moved twice.', true);
}

/** `sealift skip OPERATION` */
export function skipCommand(context: CommandContext): Command {
  return decisionCommand(context, 'skip', 'Go on with a parked operation without what is wrong.', true);
}

/** `sealift abort OPERATION` */
export function abortCommand(context: CommandContext): Command {
  return decisionCommand(context, 'abort', 'Give up a parked operation.', false);
}

/** `sealift cancel OPERATION` */
export function cancelCommand(context: CommandContext): Command {
  return operationCommand('cancel', 'End an operation and clean up after it.').action(async (id: string) => {
    const [opening, { cancel }] = await loadActions(context);
    await cancel(context, opening, id);
  });
}

/** `sealift pause OPERATION` */
export function pauseCommand(context: CommandContext): Command {
  return operationCommand('pause', 'Let an operation rest, keeping what it has.').action(async (id: string) => {
    const [opening, { pause }] = await loadActions(context);
    await pause(context, opening, id);
  });
}

/** `sealift resume OPERATION` */
export function resumeCommand(context: CommandContext): Command {
  const command = addDetachOption(operationCommand('resume', 'Go on with a paused operation.'));
  return command.action(async (id: string, options: { detach?: boolean }) => {
    const [opening, { resume }] = await loadActions(context);
    await resume(context, opening, id, options.detach ?? false);
  });
}

function decisionCommand(
  context: CommandContext,
  name: 'retry' | 'skip' | 'abort',
  description: string,
  goesOn: boolean,
): Command {
  const command = operationCommand(name, description);
  if (goesOn) {
    addDetachOption(command).option(
      '--item <item>',
      'only this item, as `sealift describe` shows it; repeatable; all when not given',
      collect,
    );
  }
  return command.action(async (id: string, options: { item?: string[]; detach?: boolean }) => {
    const [opening, { decide }] = await loadActions(context);
    await decide(context, opening, id, { decision: name, detach: options.detach ?? false, items: options.item });
  });
}

function operationCommand(name: string, description: string): Command {
  return new Command(name).description(description).argument('<operation>', ARGUMENT);
}

function loadActions(context: CommandContext) {
  return openWhileLoading(context, () => import('../../operations/act-on-operation.ts'));
}
