import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Parser } from 'tar';
import { EnvHttpProxyAgent, request } from 'undici';

export interface TemporalDownload {
  /** e.g. `https://temporal.download/cli/archive` */
  base: string;
  /** e.g. `v1.5.1` */
  version: string;
  /** path of the executable to make */
  destination: string;
  env: Record<string, string | undefined>;
}

/**
 * Fetches Temporal's CLI as `<base>/<version>?platform=<os>&arch=<arch>` (docs.temporal.io/cli, "Install"), a .tar.gz, and
 * keeps its one file `temporal`. The proxy variables of the environment apply.
 *
 * @throws Error with one sentence that says what went wrong
 */
export async function downloadTemporal(options: TemporalDownload): Promise<void> {
  const { destination } = options;
  const partial = `${destination}.${process.pid}.partial`;
  const url = new URL(`${options.base}/${options.version}`);
  url.searchParams.set('platform', platform());
  url.searchParams.set('arch', arch() === 'x64' ? 'amd64' : arch());
  try {
    await mkdir(dirname(destination), { recursive: true });
    await extractTemporal(url, partial);
    await rename(partial, destination);
  } catch (error) {
    await rm(partial, { force: true });
    throw new Error(`download from ${url.origin}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

async function extractTemporal(url: URL, partial: string): Promise<void> {
  const response = await fetchFollowing(url);
  let written: Promise<void> | undefined;
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      if (entry.type === 'File' && /^(\.\/)?temporal$/.test(entry.path) && written === undefined) {
        written = pipeline(entry as unknown as NodeJS.ReadableStream, createWriteStream(partial, { mode: 0o755 }));
        // the failure is reported when the archive ends; until then it must not count as unhandled
        written.catch(() => undefined);
      } else {
        entry.resume();
      }
    },
  });
  await pipeline(response, parser as unknown as NodeJS.WritableStream);
  if (written === undefined) throw new Error('the archive holds no file `temporal`');
  await written;
}

async function fetchFollowing(url: URL, redirects = 5): Promise<NodeJS.ReadableStream> {
  const { statusCode, headers, body } = await request(url, {
    dispatcher: new EnvHttpProxyAgent({ connect: { timeout: 10_000 } }),
  });
  if (statusCode === 200) return body;
  await body.dump();
  if (statusCode >= 300 && statusCode < 400 && typeof headers.location === 'string' && redirects > 0) {
    return fetchFollowing(new URL(headers.location, url), redirects - 1);
  }
  throw new Error(`the server answered ${statusCode}`);
}
