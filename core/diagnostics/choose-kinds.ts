import { z } from 'zod';
import type { ApiServer } from '../kubernetes/api-server.ts';

/** A kind of objects that is collected. */
export interface CollectedKind {
  apiVersion: string;
  kind: string;
  /** of all namespaces */
  path: string;
}

/** Groups of Cluster API and its providers, of EKS Anywhere and bare metal, of Flux, cert-manager and Sealift. */
const GROUPS = [
  /(^|\.)cluster\.x-k8s\.io$/,
  /^anywhere\.eks\.amazonaws\.com$/,
  /(^|\.)tinkerbell\.org$/,
  /\.toolkit\.fluxcd\.io$/,
  /^(acme\.)?cert-manager\.io$/,
  /^vmoperator\.vmware\.com$/,
];

/** Secrets are first: no text is kept of a cluster whose Secrets could not be read. */
export const SECRETS: CollectedKind = builtIn('v1', 'Secret', 'secrets');
export const EVENTS: CollectedKind = builtIn('v1', 'Event', 'events');

const BUILT_IN: readonly CollectedKind[] = [
  builtIn('v1', 'Node', 'nodes'),
  builtIn('v1', 'Namespace', 'namespaces'),
  builtIn('v1', 'ConfigMap', 'configmaps'),
  builtIn('v1', 'Pod', 'pods'),
  builtIn('v1', 'Service', 'services'),
  builtIn('apps/v1', 'Deployment', 'deployments'),
  builtIn('apps/v1', 'DaemonSet', 'daemonsets'),
  builtIn('apps/v1', 'StatefulSet', 'statefulsets'),
  builtIn('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations'),
  builtIn('admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations'),
];

const groupList = z.looseObject({
  groups: z.array(z.looseObject({ name: z.string(), preferredVersion: z.looseObject({ groupVersion: z.string() }) })),
});
const resourceList = z.looseObject({
  resources: z.array(z.looseObject({ name: z.string(), kind: z.string(), verbs: z.array(z.string()) })),
});

/** The kinds that say how a cluster comes about, as the API server has them. @throws SealiftError those of ApiServer.ask */
export async function chooseKinds(server: ApiServer, signal: AbortSignal): Promise<CollectedKind[]> {
  const read = async (path: string): Promise<unknown> =>
    (await server.ask({ method: 'GET', path, operation: 'list kinds', subject: path, signal })).body;
  const { groups } = groupList.parse(await read('/apis'));
  const wanted = groups.filter(({ name }) => GROUPS.some((group) => group.test(name)));
  const found = await Promise.all(
    wanted.map(async ({ preferredVersion: { groupVersion } }) => {
      const { resources } = resourceList.parse(await read(`/apis/${groupVersion}`));
      return resources
        .filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list'))
        .map(({ name, kind }) => ({ apiVersion: groupVersion, kind, path: `/apis/${groupVersion}/${name}` }));
    }),
  );
  return [...BUILT_IN, ...found.flat()];
}

function builtIn(apiVersion: string, kind: string, plural: string): CollectedKind {
  return { apiVersion, kind, path: `${apiVersion === 'v1' ? '/api' : '/apis'}/${apiVersion}/${plural}` };
}
