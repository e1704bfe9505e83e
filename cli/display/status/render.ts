import { count, formatBytes, formatSeconds, printable, shorten } from '../format.ts';
import type { ProgressView } from './progress-view.ts';

const BAR_WIDTH = 24;
// below this there is no room for a bar and what it is about
const WIDTH_FOR_BARS = 60;
const MAX_RETRIES_SHOWN = 3;

/** Colour escapes, or the text as it is. */
export interface Paint {
  good(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
}

export const plainPaint: Paint = { good: String, warn: String, dim: String };

export const colorPaint: Paint = {
  good: (text) => `\u001b[32m${text}\u001b[39m`,
  warn: (text) => `\u001b[33m${text}\u001b[39m`,
  dim: (text) => `\u001b[2m${text}\u001b[22m`,
};

/** `transferring  45% 620.0 MiB of 1.3 GiB, 310.2 MiB/s, 2s left, 12 of 36 items`: all there is to say in one line. */
export function summaryLine(view: ProgressView, rate: number | undefined): string {
  const parts: string[] = [];
  if (view.bytesTotal > 0) {
    parts.push(`${percent(view)}% ${formatBytes(view.bytesDone)} of ${formatBytes(view.bytesTotal)}`);
    if (rate !== undefined && view.bytesDone < view.bytesTotal) {
      parts.push(`${formatBytes(Math.round(rate))}/s`);
      if (rate > 0) parts.push(`${formatSeconds((view.bytesTotal - view.bytesDone) / rate)} left`);
    }
  }
  if (view.itemsTotal > 0) parts.push(`${view.itemsDone} of ${count(view.itemsTotal, view.unit ?? 'item')}`);
  if (view.parkedCount > 0) parts.push(`${view.parkedCount} parked`);
  return `${view.paused ? 'paused' : view.phase}${parts.length > 0 ? `  ${parts.join(', ')}` : ''}`;
}

/** The lines of the live display: a total with its bar, then a bar for each thing that moves, then what is tried again. */
export function barLines(view: ProgressView, rate: number | undefined, width: number, paint: Paint): string[] {
  const wide = width >= WIDTH_FOR_BARS;
  const total = wide && view.bytesTotal > 0 ? `${paint.good(bar(view.bytesDone, view.bytesTotal))} ` : '';
  const taken = total === '' ? 0 : BAR_WIDTH + 3;
  const lines = [`${total}${shorten(summaryLine(view, rate), width - taken)}`];
  for (const { subject, done, total: size } of view.current) {
    const amount = size > 0 ? `${formatBytes(done)} of ${formatBytes(size)}` : '';
    const drawn = wide && size > 0 ? `${bar(done, size)} ` : '';
    const name = shorten(printable(subject), Math.max(0, width - drawn.length - amount.length - 3));
    lines.push(`  ${drawn}${name} ${paint.dim(amount)}`);
  }
  for (const line of retryLines(view)) lines.push(paint.warn(shorten(line, width)));
  return lines;
}

/** What failed and is tried again, a line each. */
export function retryLines(view: ProgressView): string[] {
  const lines = view.retrying
    .slice(0, MAX_RETRIES_SHOWN)
    .map(
      ({ activity, attempt, message }) => `  trying again (${attempt}): ${activity}: ${printable(firstLine(message))}`,
    );
  const more = view.retrying.length - MAX_RETRIES_SHOWN;
  return more > 0 ? [...lines, `  and ${more} more tried again`] : lines;
}

function bar(done: number, total: number): string {
  const filled = Math.min(BAR_WIDTH, Math.floor((done / total) * BAR_WIDTH));
  return `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]`;
}

function percent(view: ProgressView): number {
  return Math.min(100, Math.floor((view.bytesDone / view.bytesTotal) * 100));
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
