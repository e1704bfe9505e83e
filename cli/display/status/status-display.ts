import type { Terminal } from '../../terminal.ts';
import { createLinesDisplay } from './lines.ts';
import type { StatusDisplay } from './progress-view.ts';
import { colorPaint, plainPaint } from './render.ts';
import { createTtyDisplay } from './tty.ts';

/**
 * Live bars on a terminal, plain lines otherwise. `NO_COLOR` (no-color.org) and `--no-color` take colour away, `TERM=dumb`
 * and a stderr that is no terminal the bars.
 */
export function createStatusDisplay(terminal: Terminal, color: boolean): StatusDisplay {
  const { stderr, env } = terminal;
  if (stderr.isTTY !== true || env.TERM === 'dumb') return createLinesDisplay(stderr, Date.now);
  const colored = color && (env.NO_COLOR === undefined || env.NO_COLOR === '');
  return createTtyDisplay(stderr, Date.now, colored ? colorPaint : plainPaint);
}
