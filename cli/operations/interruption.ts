import type { Terminal } from '../terminal.ts';

// 128 + SIGINT, as a shell reports it
export const DETACHED_EXIT_CODE = 130;

/**
 * Turns the first Ctrl-C into a signal to leave politely; the second ends the process at once.
 *
 * @returns the signal, and a function that gives Ctrl-C its usual meaning back
 */
export function leaveOnInterrupt(terminal: Terminal): { left: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const release = terminal.onInterrupt(() => {
    if (controller.signal.aborted) terminal.exitNow(DETACHED_EXIT_CODE);
    controller.abort();
  });
  return { left: controller.signal, release };
}
