import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities } from '../../activities/clusters/index.ts';
import type { ClusterOperationInput } from '../../contracts/clusters.ts';
import { brief } from './activity-options.ts';
import type { CollectDiagnostics } from './operation.ts';

/** Collects what the clusters of an operation say, on the machine that knows how they are reached. */
export function clusterDiagnostics(input: ClusterOperationInput, taskQueue: string): CollectDiagnostics {
  const { collectDiagnostics } = proxyActivities<ClusterActivities>({ ...brief, taskQueue });
  return async (phase, problems) => {
    const summary = `what clusters say about ${phase}`;
    return (await collectDiagnostics.executeWithOptions({ summary }, [{ input, phase, problems }])).archive;
  };
}
