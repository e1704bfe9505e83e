import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type ResourceLimits } from 'node:worker_threads';

/**
 * Starts a thread of this process.
 *
 * @param entry its module, relative to `from` and without extension
 * @param from `import.meta.url` of the caller
 */
export function startThread(entry: string, from: string, resourceLimits: ResourceLimits): Worker {
  // A checkout runs from its TypeScript sources in tests and from dist/ otherwise.
  const typescript = from.endsWith('.ts');
  const url = new URL(`${entry}${typescript ? '.ts' : '.js'}`, from);
  return new Worker(url, { resourceLimits, ...(typescript ? { execArgv: typescriptLoader() } : {}) });
}

/** `--import tsx` leaves threads alone when the main thread has another loader, as under vitest; asked for by name it does not. */
function typescriptLoader(): string[] {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const code = `import { register } from ${JSON.stringify(new URL('dist/esm/api/index.mjs', tsx).href)}; register();`;
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
}
