import type {
  ClusterSpec,
  EksaClusterSpec,
  FluxConfigSpec,
  SpecObject,
  SpecPosition,
} from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { finder, isProblem, subjectOf, type Finder } from './findings.ts';
import { fluxConfigOf } from './gitops-schema.ts';
import { readDocuments, type ReadDocument, type SpecProvider } from './read-documents.ts';
import { followReferences, namespaceOf } from './references.ts';
import { roleOf, type DescribedCluster } from './role.ts';
import { connectionRules } from './rules/connection-rules.ts';
import { controlPlaneRules, identityRules } from './rules/cluster-rules.ts';
import { gitOpsRules } from './rules/gitops-rules.ts';
import { networkRules } from './rules/network-rules.ts';
import { workerRules } from './rules/worker-rules.ts';

export interface ReadSpec {
  /** there when the shapes and references are right, even where values are not: a cluster with an outdated spec can be deleted */
  spec?: ClusterSpec;
  /** problems and warnings, in the order of the file, with positions */
  findings: Finding[];
}

/**
 * Reads the specification of one cluster: EKS Anywhere's documents, in any order. Never throws for what is in the file; all
 * that is wrong is found at once, as far as what is wrong lets one see.
 * @param file path as the operator gave it, for positions
 * @param providers those that can be chosen by `datacenterRef`
 * @param now certificates have to be valid then
 */
export function readClusterSpec(
  file: string,
  bytes: Uint8Array,
  providers: readonly SpecProvider[],
  now: Date = new Date(),
): ReadSpec {
  const { documents, findings } = readDocuments(file, bytes, providers);
  // a document that could not be read may be what a reference leads to, or the Cluster itself
  const whole = !findings.some(isProblem);
  findings.push(...duplicates(documents));
  const objects = documents.map(({ object }) => object);
  const cluster = objects.find(({ kind }) => kind === 'Cluster') as SpecObject<EksaClusterSpec> | undefined;
  if (cluster === undefined) {
    if (whole) findings.push(noCluster(file));
    return { findings: located(findings, documents) };
  }
  const at = finder(findings, subjectOf(cluster), 'spec');
  const provider = providerOf(cluster, providers, at);
  const others = objects.filter(({ kind }) => kind !== 'Cluster');
  const { reached, findings: wrongReferences } = followReferences(cluster, others, provider);
  if (whole) findings.push(...wrongReferences);
  const described = { name: cluster.metadata.name, cluster, ...roleOf(cluster, at), ...gitOpsOf(reached) };
  const datacenter = reached.find(({ kind }) => kind === provider?.kinds.datacenter);
  const complete = whole && !findings.some(isProblem);
  findings.push(...specRules(described, now));
  if (!complete || provider === undefined || datacenter === undefined)
    return { findings: located(findings, documents) };
  const spec = { ...described, namespace: namespaceOf(cluster), datacenter, ...machinesOf(reached, provider) };
  findings.push(...provider.validateSpec(spec));
  return { spec, findings: located(findings, documents) };
}

function providerOf(
  { spec }: SpecObject<EksaClusterSpec>,
  providers: readonly SpecProvider[],
  at: Finder,
): SpecProvider | undefined {
  const { kind } = spec.datacenterRef;
  const provider = providers.find(({ kinds }) => kinds.datacenter === kind);
  if (provider === undefined) {
    const known = providers.map(({ kinds }) => kinds.datacenter).join(', ');
    at.problem(
      'provider',
      ['spec', 'datacenterRef', 'kind'],
      `there is no provider for ${kind}`,
      `use one of ${known}`,
    );
  }
  return provider;
}

function machinesOf(
  reached: readonly SpecObject[],
  { name, kinds }: SpecProvider,
): Pick<ClusterSpec, 'provider' | 'machines' | 'others'> {
  const machines = reached.filter(({ kind }) => kind === kinds.machine);
  const named = [kinds.datacenter, kinds.machine, 'FluxConfig', 'GitOpsConfig'];
  return {
    provider: name,
    machines: Object.fromEntries(machines.map((machine) => [machine.metadata.name, machine])),
    others: reached.filter(({ kind }) => !named.includes(kind)),
  };
}

function gitOpsOf(reached: readonly SpecObject[]): Pick<ClusterSpec, 'gitOps'> {
  const gitOps = reached.find(({ kind }) => kind === 'FluxConfig' || kind === 'GitOpsConfig');
  return gitOps === undefined ? {} : { gitOps: asFluxConfig(gitOps) };
}

function asFluxConfig(gitOps: SpecObject): SpecObject<FluxConfigSpec> {
  const found: unknown = gitOps;
  if (gitOps.kind === 'FluxConfig') return found as SpecObject<FluxConfigSpec>;
  return fluxConfigOf(found as Parameters<typeof fluxConfigOf>[0]);
}

function noCluster(file: string): Finding {
  return {
    id: 'spec.no-cluster',
    status: 'problem',
    subject: file,
    message: 'the file holds no Cluster',
    remedy: 'give the file that describes the cluster; `sealift generate cluster` writes one to begin with',
    position: { file, line: 1, column: 1 },
  };
}

function duplicates(documents: readonly ReadDocument[]): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const { object, located: document } of documents) {
    const subject = subjectOf(object);
    const first = object.kind === 'Cluster' ? 'Cluster' : subject;
    if (seen.has(first)) {
      const message =
        object.kind === 'Cluster' ? 'the file holds more than one Cluster' : `the file holds ${subject} more than once`;
      const remedy = object.kind === 'Cluster' ? 'describe one cluster in each file' : 'leave one of them';
      const position = document.positionOf(['metadata', 'name']);
      findings.push({ id: 'spec.duplicate', status: 'problem', subject, message, remedy, position });
    }
    seen.add(first);
  }
  return findings;
}

/**
 * The rules for what no provider knows about: names, versions, counts, networks, mirror, proxy, GitOps. Pure.
 * @param now certificates have to be valid then
 * @returns findings with paths, without positions
 */
export function specRules(spec: DescribedCluster, now: Date): Finding[] {
  const findings: Finding[] = [];
  const at = finder(findings, subjectOf(spec.cluster), 'spec');
  identityRules(spec, at);
  controlPlaneRules(spec.cluster.spec, at);
  workerRules(spec, at);
  networkRules(spec.cluster.spec, at);
  connectionRules(spec.cluster.spec, at, now);
  if (spec.gitOps !== undefined) {
    gitOpsRules(spec.gitOps.spec, finder(findings, subjectOf(spec.gitOps), 'spec'));
  }
  return findings;
}

/** Gives findings about a specification that were made elsewhere the positions of their fields in its file. */
export function withPositions(
  file: string,
  bytes: Uint8Array,
  providers: readonly SpecProvider[],
  findings: readonly Finding[],
): Finding[] {
  return located(findings, readDocuments(file, bytes, providers).documents);
}

/** Gives every finding the position of its field, and all the order of the file. */
function located(findings: readonly Finding[], documents: readonly ReadDocument[]): Finding[] {
  const withPositions = findings.map((finding) => {
    if (finding.path === undefined || finding.position !== undefined) return finding;
    const position = documentOf(finding, documents)?.located.positionOf(finding.path);
    return position === undefined ? finding : { ...finding, position };
  });
  return withPositions.sort((one, other) => lineOf(one.position) - lineOf(other.position));
}

/** A FluxConfig may have been written as a GitOpsConfig. */
function documentOf({ subject }: Finding, documents: readonly ReadDocument[]): ReadDocument | undefined {
  const subjects = [subject, subject.replace(/^FluxConfig /, 'GitOpsConfig ')];
  return documents.find(({ object }) => subjects.includes(subjectOf(object)));
}

function lineOf(position: SpecPosition | undefined): number {
  return position?.line ?? 0;
}
