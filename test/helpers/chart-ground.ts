import type { ProviderContext } from '../../contracts/provider-plugin.ts';
import { toolRunner } from '../../core/host/run-tool.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import { kubeApiserverUnavailable, startKubeApiserver } from './kube-apiserver.ts';
import { findTool, temporaryFolder, toolsFolder } from './paths.ts';

/** Why charts cannot be installed here; undefined where they can. */
export const chartsUnavailable =
  (await kubeApiserverUnavailable()) ??
  ((await findTool('helm')) === undefined ? 'helm is not in .cache/bin: run `make setup`' : undefined);

/** A real API server that charts are installed on by the real helm. */
export interface ChartGround extends AsyncDisposable {
  cluster: Cluster;
  /** what a worker gives to who installs them; a new one each time */
  context(): ProviderContext;
}

/** @param name of its folder, for people */
export async function startChartGround(name: string): Promise<ChartGround> {
  const scratch = await temporaryFolder(name);
  const server = await startKubeApiserver();
  const cluster = await openCluster(server.kubeconfig);
  return {
    cluster,
    context: () => ({
      env: {},
      scratch: scratch.path,
      run: toolRunner([toolsFolder], process.env),
      alive: () => undefined,
      warn: () => undefined,
    }),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await server.stop();
      await scratch.remove();
    },
  };
}
