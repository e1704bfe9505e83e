import type { TextOutput } from '../../terminal.ts';
import { createRateMeter } from './rate-meter.ts';
import { barLines, type Paint } from './render.ts';
import type { StatusDisplay } from './progress-view.ts';

const DEFAULT_WIDTH = 80;

/**
 * Bars that are drawn over each other.
 *
 * @param now a clock in milliseconds
 */
export function createTtyDisplay(output: TextOutput, now: () => number, paint: Paint): StatusDisplay {
  const meter = createRateMeter();
  let drawn: string[] = [];
  const erase = (): string => (drawn.length === 0 ? '' : `\u001b[${drawn.length}A\u001b[0J`);
  return {
    note(line) {
      output.write(`${erase()}${line}\n${drawn.map((bar) => `${bar}\n`).join('')}`);
    },
    progress(view) {
      const rate = meter.sample(now(), view.bytesDone);
      // a line as wide as the terminal would wrap, and the next erase would miss a row
      const lines = barLines(view, rate, (output.columns ?? DEFAULT_WIDTH) - 1, paint);
      output.write(`${erase()}${lines.map((line) => `${line}\n`).join('')}`);
      drawn = lines;
    },
    end() {
      drawn = [];
    },
  };
}
