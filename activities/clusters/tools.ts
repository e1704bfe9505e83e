import type { ClusterOperationInput, ClusterPlace } from '../../contracts/clusters.ts';
import type { ActivityProgress } from '../../contracts/operations.ts';
import type { CapiProvider, ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import type { FindBinary } from '../../core/bootstrap/binaries.ts';
import type { BootstrapDriver } from '../../core/bootstrap/driver.ts';
import { createClusterctl } from '../../core/cluster-api/clusterctl.ts';
import { firstThatHas, type ContentOptions, type ReleaseContents } from '../../core/clusters/content.ts';
import { clusterctlConfig } from '../../core/clusters/install-capi.ts';
import type { MoveRequest } from '../../core/clusters/move.ts';
import { readRelease, type ClusterRelease, type InfrastructureName } from '../../core/clusters/release.ts';
import type { ClusterWorkspace, ValidatedCluster } from '../../core/clusters/workspace.ts';
import { openAttended } from '../../core/kubernetes/attended.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import { withPatience } from '../../core/kubernetes/patient.ts';
import type { ClusterState } from '../../core/kubernetes/cluster-state.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';

/** What the worker hands to the steps of cluster operations. */
export interface ClusterDependencies {
  providers: readonly ProviderPlugin[];
  /** where operations on a cluster keep what they need on this machine */
  workspace(input: ClusterOperationInput): ClusterWorkspace;
  /** @param provider undefined when only the cluster itself is meant, not what runs on it */
  bootstrap(input: ClusterOperationInput, provider: CapiProvider | undefined): BootstrapDriver;
  /** what an operation makes clusters of; see openContents */
  contents(input: ClusterOperationInput, asked: Pick<ContentOptions, 'spec' | 'identity'>): Promise<ReleaseContents>;
  /** folder of archives of diagnostics */
  diagnostics: string;
  /** where a tool for an operation is: in the images of what it makes clusters of, else on this machine */
  findTool(input: ClusterOperationInput): FindBinary;
  run(input: ClusterOperationInput): ProviderContext['run'];
  /** the only place that credentials come from */
  environment: Record<string, string | undefined>;
}

export interface Step {
  input: ClusterOperationInput;
}
export type StepOn = Step & { on: ClusterPlace };

/** What a step works with once a cluster was validated. */
export interface Setting extends ValidatedCluster {
  provider: ProviderPlugin;
  context: ProviderContext;
  workspace: ClusterWorkspace;
}

/** The same for a step that makes objects out of the bundle. */
export interface Making extends Setting {
  release: ClusterRelease;
}

export interface ClusterTools {
  contextOf(input: ClusterOperationInput, hooks: WorkHooks): ProviderContext;
  setting(input: ClusterOperationInput, hooks: WorkHooks): Promise<Setting>;
  /** Opens the bundle, or asks the registry. @throws as releaseOf */
  making(input: ClusterOperationInput, hooks: WorkHooks): Promise<Making>;
  /**
   * Opens a cluster. What ends of a bootstrap cluster is started again, before and as long as it is open.
   * @throws SealiftError those of openCluster, and of starting programs
   */
  clusterAt(input: ClusterOperationInput, place: ClusterPlace): Promise<Cluster>;
  moveRequest(input: ClusterOperationInput, move: Move, hooks: WorkHooks): Promise<MoveRequest>;
  /** Ends the bootstrap cluster, if any, and forgets how it was reached. */
  removeBootstrap(input: ClusterOperationInput): Promise<void>;
}

interface Move {
  from: ClusterPlace;
  to: ClusterPlace;
  source: Cluster;
  target: Cluster;
}

export function createClusterTools(deps: ClusterDependencies): ClusterTools {
  const contextOf: ClusterTools['contextOf'] = (input, hooks) => ({
    env: deps.environment,
    scratch: deps.workspace(input).scratch,
    run: deps.run(input),
    ...(input.hardwareCsv === undefined ? {} : { hardwareCsv: input.hardwareCsv }),
    ...(input.ovas === undefined ? {} : { ovas: input.ovas }),
    alive: aliveOf(hooks),
    warn: () => undefined,
  });
  const setting: ClusterTools['setting'] = async (input, hooks) => {
    const workspace = deps.workspace(input);
    const validated = await workspace.readValidated();
    const provider = providerNamed(deps.providers, validated.spec.provider);
    return { ...validated, provider, context: contextOf(input, hooks), workspace };
  };
  return {
    contextOf,
    setting,
    async making(input, hooks) {
      const known = await setting(input, hooks);
      return { ...known, release: await releaseOf(input, known, { ...known, deps }) };
    },
    clusterAt(input, place) {
      if (place === 'management') return openManagement(input);
      const open = (): Promise<Cluster> => openCluster(deps.workspace(input).kubeconfig(place));
      return place === 'bootstrap' ? openAttended(open, () => attendBootstrap(input, deps, contextOf)) : open();
    },
    async removeBootstrap(input) {
      // in this order: whoever finds a kubeconfig may count on a bootstrap cluster
      await deps.workspace(input).dropKubeconfig('bootstrap');
      await deps.bootstrap(input, undefined).remove();
    },
    async moveRequest(input, { source, target, from, to }, hooks) {
      const workspace = deps.workspace(input);
      const clusterctl = createClusterctl({
        command: await deps.findTool(input)('clusterctl'),
        config: clusterctlConfig(workspace.clusterctl('bootstrap')),
        home: workspace.scratch,
        signal: hooks.signal,
      });
      return { source, target, clusterctl, folder: workspace.move(from, to), alive: aliveOf(hooks) };
    },
  };
}

/** What keeps it from answering is for a person to mend: its workload clusters do without it, and so nobody else may notice. */
async function openManagement({ kubeconfig, managementCluster = '' }: ClusterOperationInput): Promise<Cluster> {
  // an API server takes the place of a name where nothing says it
  const who = managementCluster.includes('_') ? '' : ` ${managementCluster}`;
  return withPatience(await openCluster(kubeconfig!), {
    who: `the management cluster${who}`.trimEnd(),
    remedy: 'start it again, or mend the way to it, then retry; its workload clusters run on without it',
  });
}

/** Its programs may end at any moment, and nobody else starts them again. */
async function attendBootstrap(
  input: ClusterOperationInput,
  deps: ClusterDependencies,
  contextOf: ClusterTools['contextOf'],
): Promise<void> {
  const workspace = deps.workspace(input);
  const known = await workspace.findValidated();
  const quiet = { signal: new AbortController().signal, report: () => undefined };
  const infrastructure =
    known === undefined
      ? undefined
      : providerNamed(deps.providers, known.spec.provider).capi(known.spec, contextOf(input, quiet));
  const kubeconfig = await deps.bootstrap(input, infrastructure).attend?.();
  if (kubeconfig !== undefined) await workspace.writeKubeconfig('bootstrap', kubeconfig);
}

/** A plugin that a validated specification names is there. */
export function providerNamed(providers: readonly ProviderPlugin[], name: string): ProviderPlugin {
  return providers.find((provider) => provider.name === name)!;
}

/** What the operation's bundle or registry brings for a cluster. @throws SealiftError ContentMissing, those of openContents */
export async function releaseOf(
  input: ClusterOperationInput,
  validated: Pick<ValidatedCluster, 'spec' | 'content'>,
  { provider, context, deps }: { provider: ProviderPlugin; context: ProviderContext; deps: ClusterDependencies },
): Promise<ClusterRelease> {
  const identity = validated.content;
  await using contents = await deps.contents(input, {
    spec: validated.spec,
    ...(identity === undefined ? {} : { identity }),
  });
  const infrastructure = provider.capi(validated.spec, context).name as InfrastructureName;
  const { role, cluster } = validated.spec;
  const minor = cluster.spec.kubernetesVersion;
  return await firstThatHas(contents.all, (content) => readRelease(content, minor, infrastructure, role));
}

/** Whether what is installed on the bootstrap cluster of an operation is run there by nodes. */
export function hasNodes(input: ClusterOperationInput, deps: Pick<ClusterDependencies, 'bootstrap'>): boolean {
  return deps.bootstrap(input, undefined).runProviders === undefined;
}

/** A cluster that comes about, as the display and the UI show it: machines are items. */
export function machineProgress({ controlPlane, workers, detail }: ClusterState): ActivityProgress {
  const groups = [controlPlane, workers];
  return {
    ...waiting(detail),
    unit: 'machine',
    itemsDone: groups.reduce((sum, { available }) => sum + available, 0),
    itemsTotal: groups.reduce((sum, { desired }) => sum + desired, 0),
  };
}

/** What is waited for, as the display and the UI show it. */
function aliveOf({ signal, report }: WorkHooks): ProviderContext['alive'] {
  return (detail) => {
    signal.throwIfAborted();
    report(waiting(detail));
  };
}

/** Progress of what counts nothing. */
export function waiting(subject: string): ActivityProgress {
  return { bytesDone: 0, bytesTotal: 0, itemsDone: 0, itemsTotal: 0, current: [{ subject, done: 0, total: 0 }] };
}
