import { openApiServer, type ApiServer } from '../../core/kubernetes/api-server.ts';

interface Resource {
  name: string;
  kind: string;
  verbs: string[];
}

/**
 * Every image that an object of any kind names on an API server: in fields called `image` or `imageRepository`, and in text
 * that holds objects of its own (static pods among the files of a node). Where it is said with the kind that says it.
 */
export async function imagesInCluster(kubeconfig: string): Promise<{ kind: string; image: string }[]> {
  await using server = await openApiServer(kubeconfig);
  const found = new Map<string, { kind: string; image: string }>();
  for (const path of await groupVersions(server)) {
    for (const { name, kind, verbs } of (await list<Resource>(server, path, 'resources')) ?? []) {
      if (name.includes('/') || !verbs.includes('list')) continue;
      for (const item of (await list<unknown>(server, `${path}/${name}`, 'items')) ?? []) {
        // a definition only says what fields there are
        if (kind === 'CustomResourceDefinition') continue;
        for (const image of imagesIn(item)) found.set(`${kind} ${image}`, { kind, image });
      }
    }
  }
  return [...found.values()];
}

async function groupVersions(server: ApiServer): Promise<string[]> {
  const groups = await list<{ versions: { groupVersion: string }[] }>(server, '/apis', 'groups');
  const named = (groups ?? []).flatMap(({ versions }) => versions.map(({ groupVersion }) => `/apis/${groupVersion}`));
  return ['/api/v1', ...named];
}

async function list<T>(server: ApiServer, path: string, field: string): Promise<T[] | undefined> {
  const asked = { method: 'GET', path, operation: 'list', subject: path, expected: [403, 404, 405] } as const;
  const { body } = await server.ask(asked);
  return (body as Record<string, T[] | undefined>)[field];
}

function imagesIn(value: unknown): string[] {
  if (typeof value === 'string')
    return [...value.matchAll(/^\s*-?\s*image(?:Repository)?:\s*["']?([^\s"']+)/gm)].map(([, image]) => image!);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, field]) =>
    (key === 'image' || key === 'imageRepository') && typeof field === 'string' ? [field] : imagesIn(field),
  );
}
