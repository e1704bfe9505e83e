import type { RunOptions } from './operation-options.ts';
import type { ConnectionOptions } from './registry-options.ts';
import type { SourceOptions } from './source-options.ts';

/** What the options of `export artifacts` say. */
export interface ExportOptions extends SourceOptions, RunOptions, ConnectionOptions {
  output: string;
  platform?: string[];
  lock?: string;
  digestPolicy: 'enforce' | 'warn';
  force?: boolean;
}
