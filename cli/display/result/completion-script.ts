import type { Command, Option } from 'commander';

type Shell = 'bash' | 'zsh' | 'fish';

/** A command as completion sees it. */
interface Node {
  /** the words after `sealift`, joined by a space; empty for the program itself */
  path: string;
  words: { word: string; description: string }[];
}

/** A script that completes commands, options and choices in that shell, and file names everywhere else. */
export function completionScript(shell: Shell, program: Command): string {
  const nodes = nodesOf(program, '');
  if (shell === 'fish') return fishScript(nodes);
  return shell === 'zsh' ? `#compdef sealift\n${zshScript(nodes)}` : bashScript(nodes);
}

function nodesOf(command: Command, path: string): Node[] {
  const help = command.createHelp();
  const shared = command.parent === null ? [] : (rootOf(command).options as Option[]);
  const options = [...help.visibleOptions(command), ...shared];
  const children = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  const words = [
    ...children.map((child) => ({ word: child.name(), description: child.summary() || child.description() })),
    ...command.registeredArguments.flatMap((argument) =>
      (argument.argChoices ?? []).map((word) => ({ word, description: '' })),
    ),
    ...options.flatMap((option) => (option.long ? { word: option.long, description: option.description } : [])),
  ];
  return [{ path, words }, ...children.flatMap((child) => nodesOf(child, `${path} ${child.name()}`.trim()))];
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

/** Shell lines that find the longest command among the words typed so far. */
function caseLines(nodes: Node[]): string {
  return nodes
    .map(({ path, words }) => `    '${path}') words='${words.map(({ word }) => word).join(' ')}' ;;`)
    .join('\n');
}

function bashScript(nodes: Node[]): string {
  const paths = nodes.map(({ path }) => `'${path}'`).join('|');
  return `_sealift() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' word words='' next
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${paths}) path="$next" ;; esac
  done
  case "$path" in
${caseLines(nodes)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sealift sealift
`;
}

function zshScript(nodes: Node[]): string {
  const paths = nodes.map(({ path }) => `'${path}'`).join('|');
  return `_sealift() {
  local path_='' word words_='' next
  for word in "\${words[@]:1:$((CURRENT-2))}"; do
    next="\${path_:+$path_ }$word"
    case "$next" in ${paths}) path_="$next" ;; esac
  done
  case "$path_" in
${caseLines(nodes).replaceAll("words='", "words_='")}
  esac
  compadd -- \${=words_}
  _files
}
compdef _sealift sealift
`;
}

function fishScript(nodes: Node[]): string {
  const lines = nodes.flatMap(({ path, words }) =>
    words.map(({ word, description }) => {
      const completes = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c sealift -n '__sealift_at "${path}"' ${completes} -d '${description.replace(/['\\\\]/g, '')}'`;
    }),
  );
  return `function __sealift_at
  set -l typed
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; or set -a typed $word
  end
  test -z "$argv[1]"; and test (count $typed) -eq 0; and return 0
  test -n "$argv[1]"; and string match -q -- "$argv[1]*" "$typed"
end
${lines.join('\n')}
`;
}
