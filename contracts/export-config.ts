import type { OnFailure } from './run-options.ts';
import type { SourceSelection } from './source-plugin.ts';

/** What a `sealift.yaml` says: the flags of `export artifacts`, and several sources in one go. All paths are absolute. */
export interface ExportConfig {
  output?: string;
  platforms?: string[];
  pullFrom?: Record<string, string>;
  lock?: string;
  concurrency?: number;
  onFailure?: OnFailure;
  digestPolicy?: 'enforce' | 'warn';
  caFile?: string;
  plainHttp?: boolean;
  insecureSkipTlsVerify?: boolean;
  sources?: SourceSelection[];
}
