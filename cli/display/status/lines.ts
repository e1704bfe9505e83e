import type { TextOutput } from '../../terminal.ts';
import { printable } from '../format.ts';
import { createRateMeter } from './rate-meter.ts';
import { retryLines, summaryLine } from './render.ts';
import type { ProgressView, StatusDisplay } from './progress-view.ts';

const INTERVAL_MS = 5_000;

/**
 * A line at every change of phase, every five seconds between, and when something new is tried again.
 *
 * @param now a clock in milliseconds
 */
export function createLinesDisplay(output: TextOutput, now: () => number): StatusDisplay {
  const meter = createRateMeter();
  const said = new Set<string>();
  let lastPhase: string | undefined;
  let lastLine = '';
  let lastAt = 0;
  return {
    note: (line) => output.write(`${line}\n`),
    progress(view) {
      const at = now();
      const rate = meter.sample(at, view.bytesDone);
      const phase = view.paused ? 'paused' : view.phase;
      const line = withWaitedFor(summaryLine(view, rate), view);
      if (phase !== lastPhase || (at - lastAt >= INTERVAL_MS && line !== lastLine)) {
        output.write(`${line}\n`);
        [lastPhase, lastLine, lastAt] = [phase, line, at];
      }
      for (const retry of retryLines(view)) {
        if (said.has(retry)) continue;
        said.add(retry);
        output.write(`${retry}\n`);
      }
    },
    end: () => undefined,
  };
}

/** Where no bytes move, there is one thing that is waited for. */
function withWaitedFor(line: string, { bytesTotal, current }: ProgressView): string {
  const [waited] = current;
  return bytesTotal > 0 || waited === undefined ? line : `${line}  ${printable(waited.subject)}`;
}
