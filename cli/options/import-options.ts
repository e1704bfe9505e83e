import type { RunOptions } from './operation-options.ts';
import type { DestinationOptions } from './registry-options.ts';

/** What the options of `import artifacts` say. */
export interface ImportOptions extends DestinationOptions, RunOptions {
  input: string;
}
