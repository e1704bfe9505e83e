import { z } from 'zod';
import { clusterError, type Doing } from './api-error.ts';
import type { ApiServer } from './api-server.ts';
import type { Kind } from './cluster.ts';

/** Where the objects of a kind are found on an API server. */
export interface ResourcePaths {
  namespaced: boolean;
  /** of all namespaces when it is undefined; ignored for what has no namespace */
  collection(namespace?: string): string;
  /** `default` when the namespace is undefined, as kubectl does */
  object(name: string, namespace?: string): string;
}

export interface Resources {
  /** @throws SealiftError KindUnknown; as `ApiServer.ask` */
  find(kind: Kind, doing: Doing): Promise<ResourcePaths>;
  /** Asks anew for the kinds of this apiVersion when the next one is looked for: a CRD was created or deleted. */
  forget(apiVersion: string): void;
}

const resourceListSchema = z.looseObject({
  resources: z.array(z.looseObject({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});

type Listed = z.infer<typeof resourceListSchema>['resources'];

/** Asks an API server which kinds it has (kubernetes.io, "API Concepts", "Unaggregated discovery"), once for each apiVersion. */
export function discoverResources(server: ApiServer): Resources {
  const known = new Map<string, Promise<Listed>>();

  function resourcesOf(apiVersion: string, doing: Doing): Promise<Listed> {
    const listed = known.get(apiVersion) ?? askForResources(server, apiVersion, doing);
    known.set(apiVersion, listed);
    // a failure is not worth remembering
    listed.catch(() => known.delete(apiVersion));
    return listed;
  }

  return {
    async find({ apiVersion, kind }, doing) {
      const wasKnown = known.has(apiVersion);
      const isWanted = (one: Listed[number]): boolean => one.kind === kind && !one.name.includes('/');
      let found = (await resourcesOf(apiVersion, doing)).find(isWanted);
      if (found === undefined && wasKnown) {
        known.delete(apiVersion);
        found = (await resourcesOf(apiVersion, doing)).find(isWanted);
      }
      if (found !== undefined) return pathsOf(apiVersion, found.name, found.namespaced);
      known.delete(apiVersion);
      const message = `the API server has no kind ${kind} in ${apiVersion}`;
      const remedy = 'install the component that the kind belongs to, or use a cluster that has it';
      throw clusterError('KindUnknown', server.url, doing, message, remedy);
    },
    forget: (apiVersion) => void known.delete(apiVersion),
  };
}

async function askForResources(server: ApiServer, apiVersion: string, doing: Doing): Promise<Listed> {
  const { status, body } = await server.ask({ method: 'GET', path: rootOf(apiVersion), expected: [404], ...doing });
  if (status === 404) return [];
  const list = resourceListSchema.safeParse(body);
  if (list.success) return list.data.resources;
  const remedy = 'check that the kubeconfig leads to a Kubernetes API server';
  throw clusterError('ObjectInvalid', server.url, doing, 'the answer is no list of kinds', remedy);
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function pathsOf(apiVersion: string, plural: string, namespaced: boolean): ResourcePaths {
  const root = rootOf(apiVersion);
  const collection = (namespace?: string): string =>
    namespaced && namespace !== undefined
      ? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`
      : `${root}/${plural}`;
  return {
    namespaced,
    collection,
    object: (name, namespace = 'default') => `${collection(namespace)}/${encodeURIComponent(name)}`,
  };
}
