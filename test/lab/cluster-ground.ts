import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { inMemory } from '../../plugins/providers/in-memory/index.ts';
import { createSealiftHome, runSealift, type SealiftHome, type SealiftResult } from '../helpers/sealift.ts';
import { startTemporal } from '../helpers/temporal.ts';
import type { ServedRelease } from '../helpers/served-release.ts';
import { serveClusterRelease } from './cluster-release.ts';
import type { LabInfrastructure } from './components.ts';
import { startLab, type Lab } from './lab.ts';

/** What in the text of a specification is to be replaced by what. */
export type SpecificationChange = readonly [from: string | RegExp, to: string];

/** What tests of cluster operations stand on: a lab, a Temporal, a home of Sealift, and a bundle to make clusters of. */
export interface ClusterGround extends AsyncDisposable {
  lab: Lab;
  home: SealiftHome;
  /** path of the bundle */
  bundle: string;
  /** Writes the specification of a cluster, `<name>.yaml` in the home. @returns its path @throws Error when there is nothing to replace */
  specification(name: string, changes?: readonly SpecificationChange[]): Promise<string>;
  /** Makes another bundle, out of a release that has ended when it is there. @returns its path */
  exportBundle(name: string, release: () => Promise<ServedRelease>): Promise<string>;
  /** Runs a command that prints JSON. */
  sealift(...args: string[]): Promise<SealiftResult>;
}

export interface ClusterGroundSettings {
  /** whose commented specification clusters are made from; in-memory's when absent */
  provider?: ProviderPlugin;
  /** of the lab, and in its release; in-memory's when absent */
  infrastructure?: LabInfrastructure;
  /** what the bundle is made from; the lab's release when absent */
  release?: () => Promise<ServedRelease>;
  /** also in the environment of commands */
  env?: Record<string, string>;
}

/** Starts all of it; the upstreams of the bundle have ended when it is there. */
export async function startClusterGround(settings: ClusterGroundSettings = {}): Promise<ClusterGround> {
  const { provider = inMemory, infrastructure = 'docker', env } = settings;
  const { release = () => serveClusterRelease({ infrastructure }) } = settings;
  const [lab, temporal] = await Promise.all([startLab(infrastructure), startTemporal()]);
  const home = await createSealiftHome({ ...temporal.env, IN_MEMORY_CLOUD: lab.cloud.socket, ...env });
  const bundle = join(home.path, 'artifacts.tar');
  await exportRelease(home, bundle, release);
  return {
    lab,
    home,
    bundle,
    specification: (name, changes = []) => writeSpecification(home, provider.specTemplate(name), name, changes),
    async exportBundle(name, other) {
      const path = join(home.path, name);
      await exportRelease(home, path, other);
      return path;
    },
    sealift: (...args) => runSealift([...args, '--output-format', 'json'], { home }),
    async [Symbol.asyncDispose]() {
      await home.remove();
      await lab.stop();
      await temporal.stop();
    },
  };
}

/** Writes the specification of a cluster, `<name>.yaml` in a home. @returns its path @throws Error when there is nothing to replace */
export async function writeSpecification(
  { path }: Pick<SealiftHome, 'path'>,
  template: string,
  name: string,
  changes: readonly SpecificationChange[],
): Promise<string> {
  const file = join(path, `${name}.yaml`);
  await writeFile(file, changed(template, changes));
  return file;
}

/** Options that name a management cluster which commands of a home have made. */
export function byManagement({ state }: Pick<SealiftHome, 'state'>, name: string): string[] {
  return ['--kubeconfig', join(state, 'clusters', name, 'self.kubeconfig')];
}

/** Who manages a cluster, in its specification. */
export function managedBy(name: string): SpecificationChange {
  return [/(managementCluster:\n +name: ).*/, `$1${name}`];
}

/** Its Kubernetes version. @param minor e.g. `1.35` */
export function ofVersion(minor: string): SpecificationChange {
  return [/kubernetesVersion: .*/, `kubernetesVersion: "${minor}"`];
}

/** Keeps its specification in a git repository. @returns changes */
export function keptInGit(repository: string, clusterConfigPath?: string): SpecificationChange[] {
  const path = clusterConfigPath === undefined ? '' : `\n  clusterConfigPath: ${clusterConfigPath}`;
  const config = `---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: FluxConfig
metadata:
  name: flux
spec:
  branch: main${path}
  git:
    repositoryUrl: file://${repository}
`;
  return [
    ['datacenterRef:', 'gitOpsRef:\n    kind: FluxConfig\n    name: flux\n  datacenterRef:'],
    [/$/, config],
  ];
}

async function exportRelease(home: SealiftHome, bundle: string, serve: () => Promise<ServedRelease>): Promise<void> {
  await using release = await serve();
  const exported = await runSealift(
    ['export', 'artifacts', '--source', 'eks-anywhere', '-f', release.manifest, '-o', bundle, ...release.pullFrom],
    { home },
  );
  expect(exported).toMatchObject({ code: 0 });
}

function changed(text: string, changes: readonly SpecificationChange[]): string {
  return changes.reduce((all, [from, to]) => {
    if (all.search(from) === -1) throw new Error(`the specification has no ${String(from)}`);
    return all.replace(from, to);
  }, text);
}
