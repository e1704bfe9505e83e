import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterRole, ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { ClusterPlace } from '../../contracts/clusters.ts';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';

/** What was validated, and so what all later phases go by, whatever becomes of the file. */
export interface ValidatedCluster {
  spec: ClusterSpec;
  /** what the cluster was made from, when it is upgraded */
  previous?: ClusterSpec;
  /** e.g. `v1.35.4` */
  kubernetesVersion: string;
  /** identity of the bundle that it was validated with, see ReadableBundle */
  content?: Digest;
}

/** What tells one cluster from another of the same name. */
export interface ClusterIdentity {
  name: string;
  role: ClusterRole;
  /** of a workload cluster; see ClusterOperationInput */
  managementCluster?: string;
}

/** A cluster that operations on this machine have gone by. */
export interface KnownWorkspace {
  workspace: ClusterWorkspace;
  validated: ValidatedCluster;
  /** the management cluster that it belongs to; of a management cluster itself */
  managementCluster: string;
}

const MANAGEMENT = 'clusters';
const WORKLOAD = 'workload-clusters';

/**
 * The folder of operations on a cluster: `<state>/clusters/<name>`, or `<state>/workload-clusters/<management cluster>/<name>`.
 * One that was made when workload clusters were told apart by their names alone is used as long as it is there.
 */
export function workspaceOf(state: string, { name, role, managementCluster }: ClusterIdentity): ClusterWorkspace {
  const plain = new ClusterWorkspace(join(state, MANAGEMENT, name));
  if (role === 'management' || managementCluster === undefined) return plain;
  const own = new ClusterWorkspace(join(state, WORKLOAD, managementCluster, name));
  if (existsSync(own.path)) return own;
  const former = plain.findValidatedNow()?.spec;
  const isSame = former?.role === 'workload' && [managementCluster, name].includes(former.managementCluster ?? name);
  return isSame ? plain : own;
}

/** All clusters of a name that operations on this machine have gone by. */
export async function knownWorkspaces(state: string, name: string): Promise<KnownWorkspace[]> {
  const managers = await readdir(join(state, WORKLOAD)).catch(() => []);
  const folders = [
    { path: join(state, MANAGEMENT, name) },
    ...managers.map((managementCluster) => ({
      path: join(state, WORKLOAD, managementCluster, name),
      managementCluster,
    })),
  ];
  const found = await Promise.all(
    folders.map(async ({ path, ...folder }) => {
      const workspace = new ClusterWorkspace(path);
      const validated = await workspace.findValidated();
      if (validated === undefined) return [];
      return [{ workspace, validated, managementCluster: validated.spec.managementCluster ?? name, ...folder }];
    }),
  );
  return found.flat();
}

/** Where operations on one cluster keep what they need on this machine; for its owner only, since kubeconfigs are in it. */
export class ClusterWorkspace {
  readonly path: string;

  /** @param path see workspaceOf */
  constructor(path: string) {
    this.path = path;
  }

  get bootstrap(): string {
    return join(this.path, 'bootstrap');
  }

  /** what clusterctl is given for a cluster */
  clusterctl(place: ClusterPlace): string {
    return join(this.path, 'clusterctl', place);
  }

  /** of a move: how far it is, and the objects as they were */
  move(from: ClusterPlace, to: ClusterPlace): string {
    return join(this.path, `move-${from}-${to}`);
  }

  get scratch(): string {
    return join(this.path, 'scratch');
  }

  kubeconfig(place: ClusterPlace): string {
    return join(this.path, `${place}.kubeconfig`);
  }

  async writeKubeconfig(place: ClusterPlace, content: string): Promise<void> {
    await writeFileAtomically(this.kubeconfig(place), content);
  }

  /** Path of a kubeconfig that was written. */
  async findKubeconfig(place: ClusterPlace): Promise<string | undefined> {
    const path = this.kubeconfig(place);
    return (await readFileIfPresent(path)) === undefined ? undefined : path;
  }

  /** That cluster is not there any more, or is no management cluster any more. */
  async dropKubeconfig(place: ClusterPlace): Promise<void> {
    await rm(this.kubeconfig(place), { force: true });
  }

  /** Removes all of it. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  async writeValidated(validated: ValidatedCluster): Promise<void> {
    await writeFileAtomically(this.#validated, `${JSON.stringify(validated, undefined, 2)}\n`);
  }

  /** What writeValidated has written: the folder is Sealift's own. */
  async readValidated(): Promise<ValidatedCluster> {
    return JSON.parse(await readFile(this.#validated, 'utf8')) as ValidatedCluster;
  }

  /** The same, when it was written. */
  async findValidated(): Promise<ValidatedCluster | undefined> {
    const text = await readFileIfPresent(this.#validated);
    return text === undefined ? undefined : (JSON.parse(text) as ValidatedCluster);
  }

  /** The same, at once. */
  findValidatedNow(): ValidatedCluster | undefined {
    if (!existsSync(this.#validated)) return undefined;
    return JSON.parse(readFileSync(this.#validated, 'utf8')) as ValidatedCluster;
  }

  get #validated(): string {
    return join(this.path, 'validated.json');
  }
}
