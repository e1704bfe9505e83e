import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ObjectKey } from '../../contracts/provider-plugin.ts';
import { isErrorType } from '../errors.ts';
import { clusterError, secretsOf, type Doing } from './api-error.ts';
import { openApiServer, type ApiAnswer, type ApiRequest, type ApiServer } from './api-server.ts';
import { applyAll } from './apply-all.ts';
import type { Cluster, CollectionKey, ListedCollection } from './cluster.ts';
import { readCollection } from './collection.ts';
import { discoverResources, type Resources } from './resources.ts';
import { watchCollection } from './watch.ts';

/** Who owns the fields that Sealift writes (server-side apply). */
const FIELD_MANAGER = 'sealift';
/**
 * Opens the cluster that a kubeconfig leads to; nothing is asked yet. Objects are plain JSON as the API server has them.
 *
 * This stands on the HTTP client and the kubeconfig reader that are here already, not on `KubernetesObjectApi` of
 * @kubernetes/client-node: 1.4.0 drops fields of built-in kinds that its generated models do not know, and turns
 * timestamps into Date objects.
 * @throws SealiftError FileMissing, InvalidInput, ToolMissing, ToolFailed. All methods throw SealiftError of side `cluster`:
 * ClusterUnreachable, ClusterForbidden, CertificateUntrusted, KindUnknown, ObjectConflict, ObjectInvalid
 */
export async function openCluster(kubeconfig: string, context?: string): Promise<Cluster> {
  const server = await openApiServer(kubeconfig, context);
  const resources = discoverResources(server);
  const objects = objectRequests(server, resources);

  async function pathOf(collection: CollectionKey, operation: string): Promise<{ path: string; doing: Doing }> {
    const doing = { operation, subject: describeCollection(collection) };
    const paths = await resources.find(collection, doing);
    return { path: paths.collection(collection.namespace), doing };
  }

  const cluster: Cluster = {
    kubeconfig,
    server: server.url,
    ...objects,
    async list(kind, options = {}) {
      return (await cluster.read({ ...kind, ...options })).objects;
    },
    async read(collection, signal) {
      const { path, doing } = await pathOf(collection, 'list');
      return readObjects(server, path, collection, { ...doing, ...(signal === undefined ? {} : { signal }) });
    },
    async *watch(collection, since, signal) {
      const { path, doing } = await pathOf(collection, 'watch');
      yield* watchCollection(server, { path, query: selectorsOf(collection), since, signal, doing });
    },
    applyAll: (all, options = {}) => applyAll(cluster, all, options.signal),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return cluster;
}

function objectRequests(server: ApiServer, resources: Resources): Pick<Cluster, 'get' | 'apply' | 'patch' | 'delete'> {
  async function askAbout(
    object: ObjectKey,
    request: Omit<ApiRequest, 'path' | 'subject' | 'secrets'>,
    suffix = '',
  ): Promise<ApiAnswer> {
    const { operation, body = {} } = request;
    const doing: Doing = {
      operation,
      subject: describeObject(object),
      secrets: secretsOf({ kind: object.kind, ...body }),
    };
    const { name, namespace } = object.metadata;
    const paths = await resources.find(object, doing);
    try {
      return await server.ask({ ...request, ...doing, path: paths.object(name, namespace) + suffix });
    } catch (error) {
      if (isErrorType(error, 'KindUnknown')) resources.forget(object.apiVersion);
      throw error;
    }
  }

  return {
    async get(object) {
      const { status, body } = await askAbout(object, { operation: 'get', method: 'GET', expected: [404] });
      return status === 404 ? undefined : (body as KubernetesObject);
    },
    // an object that was read keeps its resourceVersion: it is refused when somebody changed it since
    async apply(object) {
      const { managedFields: _, ...metadata } = object.metadata as KubernetesObject['metadata'] &
        Record<string, unknown>;
      const { body } = await askAbout(object, {
        operation: 'apply',
        method: 'PATCH',
        query: { fieldManager: FIELD_MANAGER, force: 'true' },
        // JSON is YAML
        contentType: 'application/apply-patch+yaml',
        body: { ...object, metadata },
      });
      return body as KubernetesObject;
    },
    async patch(object, change, subresource) {
      const request: Parameters<typeof askAbout>[1] = {
        operation: 'patch',
        method: 'PATCH',
        query: { fieldManager: FIELD_MANAGER },
        contentType: 'application/merge-patch+json',
        body: change,
      };
      await askAbout(object, request, subresource === undefined ? '' : `/${subresource}`);
    },
    async delete(object) {
      const body = { propagationPolicy: 'Background' };
      const { status } = await askAbout(object, { operation: 'delete', method: 'DELETE', body, expected: [404] });
      return status !== 404;
    },
  };
}

async function readObjects(
  server: ApiServer,
  path: string,
  collection: CollectionKey,
  doing: Doing & { signal?: AbortSignal },
): Promise<ListedCollection> {
  async function readPage(page: Record<string, string>): Promise<unknown> {
    const query = { ...selectorsOf(collection), ...page };
    const { status, body } = await server.ask({ ...doing, method: 'GET', path, query, expected: [410] });
    return status === 410 ? undefined : (body ?? null);
  }
  const { items, resourceVersion } = await readCollection(readPage, (what) =>
    what === 'changing'
      ? clusterError('ObjectConflict', server.url, doing, 'the list changes faster than it can be read', '')
      : clusterError('ObjectInvalid', server.url, doing, 'the answer is no list of objects', ''),
  );
  const { apiVersion, kind } = collection;
  // items of a list do not say what they are
  const objects = items.map((item) => ({ ...(item as KubernetesObject), apiVersion, kind }));
  return { objects, resourceVersion };
}

function selectorsOf({ name, labelSelector }: CollectionKey): Record<string, string> {
  return {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
  };
}

/** `Cluster default/prod`, for a person. */
export function describeObject({ kind, metadata: { name, namespace } }: ObjectKey): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

function describeCollection({ kind, namespace, labelSelector, name }: CollectionKey): string {
  const place = namespace === undefined ? '' : ` in ${namespace}`;
  const which = labelSelector === undefined ? '' : ` with ${labelSelector}`;
  return name === undefined ? `${kind}s${place}${which}` : `${kind} ${name}${place}`;
}
