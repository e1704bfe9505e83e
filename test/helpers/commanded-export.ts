import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import { CommandedActivities } from './commanded-activities.ts';
import { hostQueue } from './workflow-stage.ts';

export const planDigest = `sha256:${'a'.repeat(64)}` as const;

/** An export of seven items in so many batches of ten blobs, 1 KiB each batch. */
export function exportActivities(batches = 4): CommandedActivities {
  return new CommandedActivities({
    identifyHost: () => ({ taskQueue: hostQueue }),
    listContents: () => ({ items: 7 }),
    planBundle: ({ skip = [] }) => ({
      planDigest,
      batches: Array.from({ length: batches }, (_, index) => ({ index, items: 10, bytes: 1024 })),
      blobs: batches * 10,
      bytes: batches * 1024,
      skipped: skip.length,
    }),
    fetchBlobs: () => undefined,
    sealBundle: () => ({ kind: 'export', digest: planDigest }),
    discardExport: () => undefined,
  });
}

export function exportInput(options: Partial<ExportArtifactsInput> = {}, toldHost = true): ExportArtifactsInput {
  return {
    ...{ output: '/somewhere/artifacts.tar', platforms: [], pullFrom: {}, digestPolicy: 'enforce', concurrency: 4 },
    ...{ force: false, onFailure: 'park', registry: { plainHttp: false, insecureSkipTlsVerify: false } },
    selections: [{ source: 'images', files: ['/somewhere/images.txt'], kubeVersions: [], providers: [] }],
    ...(toldHost ? { hostTaskQueue: hostQueue } : {}),
    ...options,
  };
}
