import { request } from 'undici';
import { createPuller } from './pull.ts';

/**
 * Looks at every tag that a registry shows below a namespace, and for everything that it needs.
 * @param url `http://127.0.0.1:PORT`
 * @param headers of every request, e.g. credentials
 * @returns `repository:tag` of all; what is missing below one makes it throw
 */
export async function wholeTags(
  url: string,
  namespace: string,
  headers: Record<string, string> = {},
): Promise<string[]> {
  const { repositories = [] } = (await getJson(`${url}/v2/_catalog?n=1000`, headers)) as { repositories?: string[] };
  await using puller = createPuller(url, headers);
  const tags: string[] = [];
  for (const repository of repositories.filter((name) => name.startsWith(`${namespace}/`))) {
    const listed = (await getJson(`${url}/v2/${repository}/tags/list`, headers)) as { tags?: string[] | null };
    for (const tag of listed.tags ?? []) {
      await puller.whole(repository, tag);
      tags.push(`${repository}:${tag}`);
    }
  }
  return tags.sort();
}

async function getJson(url: string, headers: Record<string, string>): Promise<unknown> {
  const { statusCode, body } = await request(url, { headers });
  const text = await body.text();
  // a repository that was only written to by digest so far has no list of tags
  if (statusCode === 404) return {};
  if (statusCode !== 200) throw new Error(`GET ${url}: ${statusCode} ${text}`);
  return JSON.parse(text);
}
