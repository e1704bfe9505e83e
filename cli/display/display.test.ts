import { describe, expect, it } from 'vitest';
import { recordedTerminal } from '../../test/helpers/command-line.ts';
import { errorText } from './errors.ts';
import { formatBytes, formatSeconds, printable, shorten, table } from './format.ts';
import { createLinesDisplay } from './status/lines.ts';
import { emptyProgress, type ProgressView } from './status/progress-view.ts';
import { createRateMeter } from './status/rate-meter.ts';
import { barLines, colorPaint, plainPaint, summaryLine } from './status/render.ts';
import { createStatusDisplay } from './status/status-display.ts';
import { createTtyDisplay } from './status/tty.ts';

const MIB = 1024 * 1024;
const view: ProgressView = {
  ...emptyProgress,
  phase: 'transferring',
  bytesDone: 50 * MIB,
  bytesTotal: 100 * MIB,
  itemsDone: 3,
  itemsTotal: 12,
  current: [
    {
      subject: 'registry.example/a-name-that-is-much-too-long-for-one-line@sha256:0123456789abcdef',
      done: MIB,
      total: 4 * MIB,
    },
  ],
};

describe('format', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
  ])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [-1, '0s'],
    [59.4, '59s'],
    [185, '3m05s'],
    [7620, '2h07m'],
  ])('%f seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('keeps both ends of what it shortens', () => {
    expect(shorten('abcdefghij', 10)).toBe('abcdefghij');
    expect(shorten('abcdefghij', 7)).toBe('ab…ghij');
    expect(shorten('abcdefghij', 1)).toBe('a');
  });

  it('removes what would drive a terminal', () => {
    expect(printable('a\u001b[2Jb\rc\u009bd\ne')).toBe('a[2Jbcd\ne');
  });

  it('aligns columns', () => {
    expect(
      table([
        ['A', 'BB'],
        ['long', 'x'],
      ]),
    ).toBe('A     BB\nlong  x\n');
  });
});

describe('createRateMeter', () => {
  it('measures what came since the first sample, over ten seconds', () => {
    const meter = createRateMeter();
    expect(meter.sample(1000, 500)).toBeUndefined();
    expect(meter.sample(2000, 600)).toBe(100);
    expect(meter.sample(12_000, 600)).toBe(0);
    expect(meter.sample(13_000, 0)).toBeUndefined();
  });
});

describe('summaryLine', () => {
  it('has bytes, rate, time left and items', () => {
    expect(summaryLine(view, 10 * MIB)).toBe(
      'transferring  50% 50.0 MiB of 100.0 MiB, 10.0 MiB/s, 5s left, 3 of 12 items',
    );
  });

  it('says less when less is known', () => {
    expect(summaryLine(emptyProgress, undefined)).toBe('starting');
    expect(summaryLine({ ...view, bytesTotal: 0, paused: true, parkedCount: 2 }, 5)).toBe(
      'paused  3 of 12 items, 2 parked',
    );
    expect(summaryLine(view, 0)).toBe('transferring  50% 50.0 MiB of 100.0 MiB, 0 B/s, 3 of 12 items');
  });
});

describe('barLines', () => {
  it('never is wider than the terminal', () => {
    const retrying = [1, 2, 3, 4].map((attempt) => ({ activity: 'fetchBlobs', attempt, message: 'x'.repeat(200) }));
    for (const width of [40, 60, 79, 200]) {
      for (const line of barLines({ ...view, retrying }, 10 * MIB, width, plainPaint))
        expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  it('draws what is done', () => {
    const lines = barLines(view, undefined, 100, plainPaint);
    expect(lines[0]).toMatch(/^\[={12} {12}\] transferring {2}50%/);
    expect(lines[1]).toMatch(/^ {2}\[={6} {18}\] registry.*…/);
    expect(barLines(view, undefined, 100, colorPaint)[0]).toContain('\u001b[32m');
  });
});

describe('displays', () => {
  it('on a terminal draws bars over each other and notes above them', () => {
    let text = '';
    const display = createTtyDisplay({ write: (part) => (text += part), columns: 81 }, () => 0, plainPaint);
    display.progress({ ...view, current: [] });
    text = '';
    display.note('hello');
    expect(text).toMatch(/^\u001b\[1A\u001b\[0Jhello\n\[=/);
    display.end();
    text = '';
    display.note('after');
    expect(text).toBe('after\n');
  });

  it('elsewhere writes a line a phase, one every five seconds, and each retry once', () => {
    let text = '';
    let now = 0;
    const display = createLinesDisplay({ write: (part) => (text += part) }, () => now);
    const retrying = [{ activity: 'fetchBlobs', attempt: 2, message: 'reset\nmore' }];
    display.progress({ ...view, phase: 'planning' });
    for (const [at, done] of [
      [100, 1],
      [2000, 2],
      [4000, 3],
      [5200, 4],
    ] as const) {
      now = at;
      display.progress({ ...view, bytesDone: done * MIB, retrying });
    }
    expect(text.split('\n').map((line) => line.slice(0, 40))).toEqual([
      'planning  50% 50.0 MiB of 100.0 MiB, 3 o',
      'transferring  1% 1.0 MiB of 100.0 MiB, 3',
      '  trying again (2): fetchBlobs: reset',
      'transferring  4% 4.0 MiB of 100.0 MiB, 6',
      '',
    ]);
  });

  it.each([
    ['colours on a terminal', {}, true, true, /\u001b\[32m\[=/],
    ['no colours with NO_COLOR', { NO_COLOR: '1' }, true, true, /^\[=/],
    ['no colours with --no-color', {}, true, false, /^\[=/],
    ['lines with TERM=dumb', { TERM: 'dumb' }, true, true, /^transferring/],
    ['lines in a pipe', {}, false, true, /^transferring/],
  ])('shows %s', (_name, env, isTTY, color, expected) => {
    const terminal = recordedTerminal({ env });
    terminal.stderr.isTTY = isTTY;
    createStatusDisplay(terminal, color).progress(view);
    expect(terminal.err()).toMatch(expected);
  });
});

describe('errorText', () => {
  it('names type, side and remedy', () => {
    const problem = {
      type: 'DiskFull',
      side: 'destination',
      operation: 'push',
      subject: 'r/a',
      message: 'full',
      remedy: 'make room',
    } as const;
    expect(errorText([problem, { ...problem, side: 'local', remedy: '' }])).toBe(
      'Error: push r/a (destination): full\n  type: DiskFull\n  remedy: make room\nError: push r/a: full\n  type: DiskFull\n',
    );
  });
});
