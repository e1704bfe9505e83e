import type { ClusterRole, ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import type { ProviderChange } from '../../contracts/upgrade-plan.ts';
import { providerVersions } from '../cluster-api/clusterctl.ts';
import { providerLabel } from '../cluster-api/repository.ts';
import { isErrorType } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { readLocal } from '../sources/read-local.ts';
import { readClusterState } from './await.ts';
import { checkRelease, type ReleaseQuestion } from './check-release.ts';
import { findClusterObject, isPaused, pausedByOthers } from './find-owner.ts';
import { releasedProviders } from './install-capi.ts';
import { bringsLayoutUp, isBeyondThis, layoutFindings } from './layout.ts';
import { changesOfCharts } from './provider-charts.ts';
import { readKeptSpec } from './read-kept-spec.ts';
import type { ClusterRelease } from './release.ts';
import { meansFindings } from './check-means.ts';
import { compareSpecs } from './spec/compare-specs.ts';
import { readClusterSpec, withPositions } from './spec/read-spec.ts';
import { byVersion, minorOf, minorsBetween } from './spec/syntax.ts';
import { problem } from './spec/findings.ts';
import { managementFindings, refuseProblems } from './validate.ts';

export interface UpgradeRequest extends ReleaseQuestion {
  role: ClusterRole;
  specFile: string;
  providers: readonly ProviderPlugin[];
  /** keeps the specification: the management cluster of a workload cluster; of a management cluster itself */
  keeper: Cluster;
  /** its Cluster API has the machines: the keeper, or the bootstrap cluster of an upgrade that was broken off */
  owner: Cluster;
  /** a move that was broken off has left clusters paused, and is to be gone on with */
  isMoving: boolean;
}

export interface ValidatedUpgrade {
  spec: ClusterSpec;
  /** what the cluster was made from */
  previous: ClusterSpec;
  provider: ProviderPlugin;
  release: ClusterRelease;
  /** of the oldest machine there is, e.g. `v1.34.6` */
  oldestVersion: string;
  /** Cluster API's providers that are to be replaced */
  providerChanges: ProviderChange[];
  /** charts beside them that are to be installed anew */
  chartChanges: ProviderChange[];
  /** what is kept is in an older layout, and is to be brought to the present one */
  bringsLayoutUp: boolean;
  warnings: Finding[];
}

/**
 * Looks for everything that would make an upgrade fail, in one go: the specification by itself and against what the cluster
 * was made from, the infrastructure, the bundle, the management cluster. Changes nothing.
 *
 * @throws ItemsFailed with a ValidationFailed for each problem; SealiftError when something can't be asked
 */
export async function validateUpgrade(request: UpgradeRequest): Promise<ValidatedUpgrade> {
  const { role, specFile, providers, context, skip, keeper } = request;
  const bytes = await readLocal(specFile, 'local');
  const { spec: read, findings } = readClusterSpec(specFile, bytes, providers);
  const locate = (found: readonly Finding[]): Finding[] => withPositions(specFile, bytes, providers, found);
  // what can't be understood comes with problems
  if (read === undefined) refuseProblems(findings);
  const spec = { ...read!, role };
  const provider = providers.find(({ name }) => name === spec.provider)!;
  const all = [...findings, ...(await managementFindings(spec, { operation: 'upgrade', management: request.owner }))];
  const layout = await layoutFindings(keeper, { operation: 'upgrade', role });
  all.push(...layout);
  const previous = isBeyondThis(layout) ? undefined : await previousOf(spec, request, all);
  if (previous !== undefined) {
    const known = new Set(findings.map(idOf));
    const compared = [...compareSpecs(previous, spec), ...provider.validateSpec(spec, previous)];
    all.push(...locate(compared.filter((finding) => !known.has(idOf(finding)))));
  }
  const release = await checkRelease(spec, provider, request, all);
  const versions = await machineVersions(spec, request.owner);
  const providerChanges =
    release === undefined || role === 'workload' ? [] : await changesOfProviders(spec, provider, release, request);
  const chartChanges =
    release === undefined || role === 'workload'
      ? []
      : await changesOfCharts({ spec, provider, release, context }, keeper);
  if (release !== undefined) all.push(...locate(versionFindings(spec, versions, release)));
  all.push(...providerFindings(providerChanges));
  all.push(...(await pauseFindings(spec, request)));
  if (release !== undefined) {
    const isMoved = role === 'management' && (request.isMoving || provider.needsBootstrap('upgrade', spec));
    const usesClusterctl = isMoved || providerChanges.length > 0;
    const means = { spec, previous, provider, release, usesClusterctl };
    all.push(...(await meansFindings({ ...request, ...means, operation: 'upgrade' })));
  }
  const asked = { spec, operation: 'upgrade', skip, management: keeper } as const;
  all.push(...(await provider.preflight({ ...asked, ...(previous === undefined ? {} : { previous }) }, context)));
  refuseProblems(all);
  return {
    spec,
    previous: previous!,
    provider,
    release: release!,
    oldestVersion: versions[0] ?? release!.kubernetesVersion,
    providerChanges,
    chartChanges,
    bringsLayoutUp: bringsLayoutUp(layout),
    warnings: all.filter(({ status }) => status === 'warning'),
  };
}

async function previousOf(
  { name }: ClusterSpec,
  { keeper, providers }: UpgradeRequest,
  findings: Finding[],
): Promise<ClusterSpec | undefined> {
  const remedy =
    'upgrade it with what made it; or, when you have the documents that it was made from, `kubectl apply` them there first: ' +
    'Sealift can then see what changes';
  try {
    const kept = await readKeptSpec(name, keeper, providers);
    if (kept !== undefined) return kept;
    const message = `the management cluster at ${keeper.server} keeps no specification of it: another tool made it, or an older Sealift`;
    findings.push(problem('management.no-specification', `Cluster ${name}`, { message, remedy }));
  } catch (error) {
    if (!isErrorType(error, 'ObjectInvalid')) throw error;
    const { message, subject } = error.problem;
    findings.push(problem('management.unreadable-specification', subject, { message, remedy }));
  }
  return undefined;
}

/**
 * Kubernetes versions of all machines, the oldest first; of the control plane alone where worker groups have versions of their
 * own: those may be behind, and are compared group by group.
 */
async function machineVersions({ name, cluster }: ClusterSpec, owner: Cluster): Promise<string[]> {
  const groups = cluster.spec.workerNodeGroupConfigurations ?? [];
  const isMixed = groups.some(({ kubernetesVersion }) => kubernetesVersion !== undefined);
  const state = await readClusterState(name, owner);
  const machines = (state?.machines ?? []).filter(({ role }) => !isMixed || role === 'control-plane');
  const versions = machines.map((machine) => machine.version).filter((found) => found !== '');
  return [...new Set(versions)].sort(byVersion);
}

/** An upgrade that was broken off may have brought machines further than the specification that is kept. */
function versionFindings(spec: ClusterSpec, versions: readonly string[], release: ClusterRelease): Finding[] {
  const [oldest, newest] = [versions[0], versions.at(-1)];
  if (oldest === undefined || newest === undefined) return [];
  const wanted = release.kubernetesVersion;
  const at = { subject: `Cluster ${spec.name}`, path: ['spec', 'kubernetesVersion'] };
  if (byVersion(wanted, newest) < 0) {
    const message = `${wanted} is what the bundle has for ${spec.cluster.spec.kubernetesVersion}, and a machine has ${newest} already: Kubernetes cannot go back`;
    const remedy = `use a bundle with ${newest} or newer, and a specification for it`;
    return [{ ...problem('machines.downgrade', at.subject, { message, remedy }), path: at.path }];
  }
  const minors = minorsBetween(minorOf(oldest), minorOf(wanted)) ?? 0;
  if (minors <= 1) return [];
  const message = `a machine still has ${oldest}: ${wanted} would skip minor versions`;
  const remedy = `finish the upgrade to the minor version after ${minorOf(oldest)} first`;
  return [{ ...problem('machines.version-skew', at.subject, { message, remedy }), path: at.path }];
}

/** Cluster API's providers on the management cluster are brought to the bundle's versions, but never back. */
function providerFindings(changes: readonly ProviderChange[]): Finding[] {
  return changes
    .filter(({ from, to }) => byVersion(to, from) < 0)
    .map(({ subject, from, to }) =>
      problem('management.cluster-api-version', subject, {
        message: `the management cluster has ${from}, the bundle ${to}: Cluster API cannot go back`,
        remedy: `use a bundle with ${from} or newer`,
      }),
    );
}

async function changesOfProviders(
  spec: ClusterSpec,
  provider: ProviderPlugin,
  release: ClusterRelease,
  { keeper, context }: UpgradeRequest,
): Promise<ProviderChange[]> {
  const there = await providerVersions(keeper);
  return releasedProviders(release, provider.capi(spec, context).name).flatMap((wanted) => {
    const from = there.get(providerLabel(wanted));
    if (from === undefined || from === wanted.version) return [];
    return [{ subject: providerLabel(wanted), from, to: wanted.version }];
  });
}

/** Nothing happens to a cluster that is paused. */
async function pauseFindings({ name }: ClusterSpec, { owner, isMoving }: UpgradeRequest): Promise<Finding[]> {
  if (isMoving) return [];
  const found = await findClusterObject(name, owner);
  if (found === undefined || !isPaused(found)) return [];
  const { subject, ...texts } = pausedByOthers(name, owner);
  return [problem('management.paused', subject, texts)];
}

function idOf({ id, subject, message }: Finding): string {
  return [id, subject, message].join('\n');
}
