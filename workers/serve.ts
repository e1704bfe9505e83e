import { readFile } from 'node:fs/promises';
import type { RunningServe, ServeEvents, ServeOptions } from '../contracts/host.ts';
import { SealiftError } from '../core/errors.ts';
import { isLoopbackHost } from '../core/http/addresses.ts';
import { createAuthenticate, parseHtpasswd, type Authenticate } from '../core/serve/basic-auth.ts';
import { startServer } from '../core/serve/server.ts';
import { openView } from '../core/serve/view.ts';

/** Opens bundles and serves them. @throws SealiftError BundleCorrupt, BundleUnsafe, FileMissing, InvalidInput */
export async function serveBundles(options: ServeOptions, events: ServeEvents): Promise<RunningServe> {
  const { listen, namespace, map, maxConnections, debSigningKey } = options;
  const tls = options.tls === undefined ? undefined : await readTls(options.tls);
  const authenticate = options.htpasswd === undefined ? undefined : await readUsers(options.htpasswd);
  if (authenticate !== undefined && tls === undefined && !isLoopbackHost(listen.host)) {
    events.warn('passwords cross the network in the clear: give --tls-cert and --tls-key');
  }
  const view = await openView(options.inputs, {
    namespace,
    map,
    ...(debSigningKey === undefined ? {} : { debSigningKey }),
  });
  view.warnings.forEach((warning) => {
    events.warn(warning);
  });
  const server = await startServer(view, {
    ...listen,
    maxConnections,
    warn: (message) => {
      events.warn(message);
    },
    ...(tls === undefined ? {} : { tls }),
    ...(authenticate === undefined ? {} : { authenticate }),
    ...(events.access === undefined ? {} : { accessLog: events.access }),
  });
  return { ...server, repositories: view.repositories.names.length };
}

async function readTls(files: { certificate: string; key: string }): Promise<{ certificate: Buffer; key: Buffer }> {
  return { certificate: await readGiven(files.certificate), key: await readGiven(files.key) };
}

async function readUsers(path: string): Promise<Authenticate> {
  const content = await readGiven(path);
  return createAuthenticate(parseHtpasswd(content.toString('utf8'), path));
}

async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new SealiftError('FileMissing', {
      side: 'local',
      operation: 'read file',
      subject: path,
      message: error instanceof Error ? error.message : String(error),
      remedy: 'check the path and who may read it',
      cause: error,
    });
  }
}
