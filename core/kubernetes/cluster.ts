import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterAccess, ListOptions } from '../../contracts/provider-plugin.ts';

export type Kind = Pick<KubernetesObject, 'apiVersion' | 'kind'>;

/** Some objects of one kind. */
export interface CollectionKey extends Kind, ListOptions {
  /** only the object with this name */
  name?: string;
}

/** What a list gives, and where a watch goes on from. */
export interface ListedCollection {
  objects: KubernetesObject[];
  resourceVersion: string;
}

/** A cluster's API server as core's own code uses it. */
export interface Cluster extends ClusterAccess, AsyncDisposable {
  /** URL of the API server */
  server: string;
  /**
   * Applies objects in an order that works: namespaces, CustomResourceDefinitions (and waits until they are established),
   * accounts and their rights, the rest as given, and webhook configurations last. May be repeated at any point.
   * @throws SealiftError as `apply`, ClusterNotReady when a definition is not established in a minute
   */
  applyAll(objects: readonly KubernetesObject[], options?: { signal?: AbortSignal }): Promise<KubernetesObject[]>;
  read(collection: CollectionKey, signal?: AbortSignal): Promise<ListedCollection>;
  /** Changes since a list; ends when the API server ends it. @throws SealiftError ClusterUnreachable; WatchGone */
  watch(collection: CollectionKey, since: string, signal: AbortSignal): AsyncGenerator<WatchEvent>;
}

/** bookmark: nothing changed, but a later watch may go on from its resourceVersion */
export interface WatchEvent {
  type: 'added' | 'modified' | 'deleted' | 'bookmark';
  object: KubernetesObject;
  resourceVersion: string;
}
