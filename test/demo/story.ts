import type { TextOutput } from '../../cli/terminal.ts';
import { formatSeconds } from '../../cli/display/format.ts';

/** The demo as it is told: steps with what they took, commands, and what those say. */
export interface Story {
  heading(text: string): void;
  say(text: string): void;
  /** a command line as a person would type it */
  command(words: string[]): void;
  /** what a command writes, in pieces that need not be lines */
  output(this: void, text: string): void;
  /** Tells what comes, does it, and keeps how long it took. */
  step<T>(title: string, work: () => Promise<T>): Promise<T>;
  /** a line for each step */
  durations(): string[];
}

export function createStory(to: TextOutput): Story {
  const took: { title: string; seconds: number }[] = [];
  let lineStart = true;
  const say = (text: string): void => void to.write(`${text}\n`);
  const heading = (text: string): void => say(`\n== ${text}`);
  return {
    heading,
    say,
    command: (words) => say(`$ ${words.join(' ')}`),
    output(text) {
      to.write(text.replace(/^(?=.)/gm, (_match, at: number) => (at > 0 || lineStart ? '  | ' : '')));
      lineStart = text.endsWith('\n');
    },
    async step(title, work) {
      heading(`${took.length + 1}. ${title}`);
      const started = performance.now();
      const result = await work();
      took.push({ title, seconds: (performance.now() - started) / 1000 });
      return result;
    },
    durations: () =>
      took.map(({ title, seconds }, index) => {
        const time = seconds < 10 ? `${seconds.toFixed(1)}s` : formatSeconds(seconds);
        return `step ${index + 1} ${time.padStart(6)}  ${title}`;
      }),
  };
}
