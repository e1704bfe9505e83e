import { problemText } from '../../contracts/errors.ts';
import type { OperationPhase, ParkedItem } from '../../contracts/operations.ts';
import { collectDiagnostics } from '../../core/diagnostics/collect.ts';
import { clustersAround } from '../../core/diagnostics/operation-clusters.ts';
import { runActivity } from '../lib/run.ts';
import type { ClusterDependencies, Step } from './tools.ts';

/** Steps that only look, for whoever has to find out what went wrong. */
export function diagnosticsActivities(deps: ClusterDependencies) {
  return {
    /** Writes what the operation's clusters say into an archive of this machine. */
    collectDiagnostics: ({ input, phase, problems }: Step & { phase: OperationPhase; problems: ParkedItem[] }) =>
      runActivity('collect diagnostics', async ({ signal }) => {
        const workspace = deps.workspace(input);
        const { archive } = await collectDiagnostics({
          name: input.name,
          about: [
            `It stopped in ${phase}:`,
            ...problems.map((problem) => `  ${problem.type}: ${problemText(problem)}`),
          ],
          clusters: await clustersAround(workspace, input),
          workspace: workspace.path,
          env: deps.environment,
          output: { folder: deps.diagnostics },
          signal,
        });
        return { archive };
      }),
  };
}
