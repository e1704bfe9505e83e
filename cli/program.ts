import { Command, Option } from 'commander';
import { commandTable, groupSummaries, type CommandEntry } from './command-table.ts';
import { version } from '../contracts/version.ts';
import type { CommandContext } from './context.ts';

/**
 * The command tree. Only the commands that `needed` names are loaded; the others are there with name and summary, which
 * is all that help and "did you mean" take.
 */
export async function buildProgram(
  context: CommandContext,
  needed: (entry: CommandEntry) => boolean,
): Promise<Command> {
  const program = new Command('sealift')
    .description('Carries Kubernetes distributions across an air gap.')
    .version(version, '-V, --version', 'print the version')
    .addOption(
      new Option('--output-format <format>', 'how the result is written on stdout')
        .choices(['text', 'json'])
        .default('text'),
    )
    .option('--no-color', 'no colours on the terminal; NO_COLOR does the same')
    .addHelpText(
      'after',
      '\nThe two that matter:\n  sealift export artifacts --output artifacts.tar -f bundles.yaml\n  sealift import artifacts --input artifacts.tar --registry registry.example.com\n',
    );
  const groups = new Map<string, Command>();
  for (const entry of commandTable) {
    const command = needed(entry) ? await entry.load(context) : new Command(entry.words.at(-1));
    command.summary(entry.summary);
    const [first, second] = entry.words;
    const parent = second === undefined ? program : groupOf(program, groups, first);
    parent.addCommand(command, { hidden: entry.hidden ?? false });
  }
  for (const command of everyCommand(program)) shareOptions(command, context);
  return program;
}

function groupOf(program: Command, groups: Map<string, Command>, name: string): Command {
  const found = groups.get(name);
  if (found !== undefined) return found;
  const { summary, hidden = false } = groupSummaries[name] ?? { summary: '' };
  const group = new Command(name).summary(summary).description(summary);
  program.addCommand(group, { hidden });
  groups.set(name, group);
  return group;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** What commander does not hand down to commands that were made apart from their parent. */
function shareOptions(command: Command, { terminal }: CommandContext): void {
  if (command.parent !== null) command.helpCommand(false);
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => terminal.stdout.columns ?? 100,
      getErrHelpWidth: () => terminal.stderr.columns ?? 100,
    });
}
