import type { KubernetesApi } from '../../../contracts/source-plugin.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { fieldName } from '../../../core/sources/yaml-documents.ts';
import { collections, type Collection, type PodSpec, type PodStatus, type Workload } from './schema.ts';

/** One container, or volume, that asks for an image. */
export interface ImageUse {
  /** as it is asked for */
  image: string;
  /** what the kubelet says that runs (ContainerStatus.imageID); absent in templates and before the image was pulled */
  imageId?: string;
  /** e.g. `Pod shop/web-1 app` */
  place: string;
}

/** Everything in a cluster that asks for an image, the lasting things first, then by name. */
export async function imageUses(api: KubernetesApi, namespaces: readonly string[]): Promise<ImageUse[]> {
  const uses: ImageUse[] = [];
  for (const collection of collections) {
    const workloads: Workload[] = [];
    for (const path of paths(collection, namespaces)) workloads.push(...(await readAll(api, path, collection)));
    uses.push(
      ...workloads
        .filter(({ metadata }) => !isMadeFromTemplate(metadata, collection.kind))
        .flatMap((workload) => usesOf(workload, collection.kind))
        .sort((a, b) => (a.place < b.place ? -1 : 1)),
    );
  }
  return uses;
}

function paths({ group, resource }: Collection, namespaces: readonly string[]): string[] {
  if (namespaces.length === 0) return [`${group}/${resource}`];
  return namespaces.map((namespace) => `${group}/namespaces/${encodeURIComponent(namespace)}/${resource}`);
}

async function readAll(api: KubernetesApi, path: string, { read }: Collection): Promise<Workload[]> {
  return (await api.list(path)).map((object, index) => {
    const parsed = read.safeParse(object);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const field = fieldName(['items', index, ...(issue?.path ?? [])]);
    throw inputError({ file: api.server + path, field }, issue?.message ?? 'does not fit', {
      remedy: 'check that the kubeconfig leads to a Kubernetes API server',
    });
  });
}

// What a Deployment or CronJob has made is listed with its maker. Pods always count: they say what really runs.
function isMadeFromTemplate({ ownerReferences }: Workload['metadata'], kind: string): boolean {
  if (kind === 'Pod') return false;
  return (ownerReferences ?? []).some((owner) => collections.some((collection) => collection.kind === owner.kind));
}

function usesOf({ metadata, spec, status }: Workload, kind: string): ImageUse[] {
  const owner = `${kind} ${metadata.namespace ?? 'default'}/${metadata.name}`;
  const ids = imageIds(status);
  return namedImages(spec).map(({ group, name, image }) => {
    const imageId = ids.get(`${group} ${name}`);
    return { image, place: `${owner} ${name}`, ...(imageId === undefined ? {} : { imageId }) };
  });
}

function namedImages(spec: PodSpec): { group: string; name: string; image: string }[] {
  const containers = (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((group) =>
    (spec[group] ?? []).map(({ name, image }) => ({ group, name, image: image ?? '' })),
  );
  const volumes = (spec.volumes ?? []).map(({ name, image }) => ({
    group: 'volumes',
    name,
    image: image?.reference ?? '',
  }));
  return [...containers, ...volumes].filter(({ image }) => image !== '');
}

function imageIds(status: PodStatus | undefined): Map<string, string> {
  const groups = {
    initContainers: status?.initContainerStatuses,
    containers: status?.containerStatuses,
    ephemeralContainers: status?.ephemeralContainerStatuses,
  };
  const ids = Object.entries(groups).flatMap(([group, statuses]) =>
    (statuses ?? []).map(({ name, imageID }) => [`${group} ${name}`, imageID ?? ''] as const),
  );
  return new Map(ids.filter(([, id]) => id !== ''));
}
