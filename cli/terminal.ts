/** A stream that text is written to. */
export interface TextOutput {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  /** width in characters, on a terminal */
  columns?: number | undefined;
}

/** The world as a command sees it; tests hand over their own. */
export interface Terminal {
  stdout: TextOutput;
  stderr: TextOutput;
  env: Record<string, string | undefined>;
  cwd: string;
  /** Calls the handler at Ctrl-C, SIGTERM and SIGHUP. @returns a function that stops that */
  onInterrupt(handler: () => void): () => void;
  /** Ends the process at once. */
  exitNow(code: number): void;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    onInterrupt(handler) {
      for (const signal of signals) process.on(signal, handler);
      return () => {
        for (const signal of signals) process.off(signal, handler);
      };
    },
    exitNow(code) {
      process.exit(code);
    },
  };
}
