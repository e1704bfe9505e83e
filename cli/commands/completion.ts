import { Argument, Command } from 'commander';
import type { CommandContext } from '../context.ts';

/** `sealift completion SHELL` */
export function completionCommand(context: CommandContext): Command {
  return new Command('completion')
    .description('Print a completion script, e.g. for `source <(sealift completion bash)`.')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const [tree, { completionScript }] = await Promise.all([
        context.commandTree(),
        import('../display/result/completion-script.ts'),
      ]);
      const text = completionScript(shell, tree);
      context.result({ text, json: { kind: 'completion', shell, script: text } });
    });
}
