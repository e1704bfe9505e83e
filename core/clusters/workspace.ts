import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import type { ClusterPlace } from '../../contracts/clusters.ts';
import { readFileIfPresent, writeFileAtomically } from '../host/atomic-file.ts';

/** What was validated, and so what all later phases go by, whatever becomes of the file. */
export interface ValidatedCluster {
  spec: ClusterSpec;
  /** what the cluster was made from, when it is upgraded */
  previous?: ClusterSpec;
  /** e.g. `v1.35.4` */
  kubernetesVersion: string;
}

/** Where operations on one cluster keep what they need on this machine; for its owner only, since kubeconfigs are in it. */
export class ClusterWorkspace {
  readonly path: string;

  /** @param path e.g. `<state>/clusters/<name>` */
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

  get #validated(): string {
    return join(this.path, 'validated.json');
  }
}
