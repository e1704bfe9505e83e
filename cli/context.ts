import type { Command } from 'commander';
import type { SealiftHost } from '../contracts/host.ts';
import type { StatusDisplay } from './display/status/progress-view.ts';
import { createStatusDisplay } from './display/status/status-display.ts';
import type { Terminal } from './terminal.ts';

export type OutputFormat = 'text' | 'json';

/** Options every command takes. */
export interface GlobalOptions {
  outputFormat: OutputFormat;
  /** false after `--no-color` */
  color: boolean;
}

/** What a result says in both forms: text for people, one JSON document for programs (docs/schemas). */
export interface ResultDocument {
  text: string;
  json: { kind: string } & Record<string, unknown>;
}

/** What a command is given. */
export interface CommandContext {
  terminal: Terminal;
  /** The machine; made on first use, since its parts are heavy. */
  host(): Promise<SealiftHost>;
  status(): StatusDisplay;
  /** Prints the one result of the command on stdout. */
  result(document: ResultDocument): void;
  /** What the process will exit with when the command returns. */
  exitCode: number;
  outputFormat: OutputFormat;
  /** The whole command tree with every option, for shell completion. */
  commandTree(): Promise<Command>;
}

/** A context whose display and format follow the global options that `globals` answers with once the arguments are parsed. */
export function createContext(
  terminal: Terminal,
  host: () => Promise<SealiftHost> | SealiftHost,
  globals: () => GlobalOptions,
  commandTree: (context: CommandContext) => Promise<Command>,
): CommandContext {
  let madeHost: Promise<SealiftHost> | undefined;
  let madeStatus: StatusDisplay | undefined;
  const context: CommandContext = {
    terminal,
    exitCode: 0,
    host: () => (madeHost ??= Promise.resolve(host())),
    status: () => (madeStatus ??= createStatusDisplay(terminal, globals().color)),
    result(document) {
      madeStatus?.end();
      const json = context.outputFormat === 'json';
      terminal.stdout.write(json ? `${JSON.stringify(document.json, undefined, 2)}\n` : document.text);
    },
    get outputFormat() {
      return globals().outputFormat;
    },
    commandTree: () => commandTree(context),
  };
  return context;
}
