import type { Batch, ImportArtifactsInput } from '../../contracts/operations.ts';
import { CommandedActivities } from './commanded-activities.ts';
import { hostQueue } from './workflow-stage.ts';

/** An import of five items whose blobs go in `uploads` batches, and whose images in `publishes`. */
export function importActivities(uploads = 2, publishes = 2): CommandedActivities {
  const batches = (count: number, items: number, bytes: number): Batch[] =>
    Array.from({ length: count }, (_, index) => ({ index, items, bytes }));
  return new CommandedActivities({
    identifyHost: () => ({ taskQueue: hostQueue }),
    openBundle: () => ({ items: 5 }),
    checkDestination: () => ({
      uploads: batches(uploads, 10, 1024),
      publishes: batches(publishes, 3, 0),
      blobs: uploads * 10,
      bytes: uploads * 1024,
    }),
    verifyBlobs: () => undefined,
    pushBlobs: () => undefined,
    publishImages: () => undefined,
    writeFileTrees: () => ({ trees: [], warnings: [] }),
    finishImport: () => ({ kind: 'import' }),
    discardImport: () => undefined,
  });
}

export function importInput(options: Partial<ImportArtifactsInput> = {}): ImportArtifactsInput {
  return {
    ...{ input: '/somewhere/artifacts.tar', bundle: `sha256:${'b'.repeat(64)}`, host: 'r.example', namespace: 'm' },
    ...{ map: {}, concurrency: 4, onFailure: 'park', hostTaskQueue: hostQueue },
    registry: { plainHttp: false, insecureSkipTlsVerify: false },
    ...options,
  };
}
