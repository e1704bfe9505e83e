import { readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const bundle = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));
const cache = `${bundle}.cache`;

/** bytes; a smaller cache was made by a command that did not talk to Temporal, and lacks most of the code of those that do */
const SMALL_CACHE = 1_000_000;

/**
 * Loads the command line from the one file that the build makes of it, with V8's compiled code beside it: a command starts
 * in about two thirds of the time. The cache belongs to one Node version and its flags; another one makes it anew.
 * @returns main, and what to call when the command is done
 */
export async function loadCli() {
  const [source, cachedData] = await Promise.all([readFile(bundle, 'utf8'), readFile(cache).catch(() => undefined)]);
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
  const script = new vm.Script(wrapped, { filename: bundle, ...(cachedData === undefined ? {} : { cachedData }) });
  const module = { exports: {} };
  script.runInThisContext()(
    module.exports,
    createRequire(bundle),
    module,
    bundle,
    fileURLToPath(new URL('.', import.meta.url)),
  );
  const good = cachedData !== undefined && cachedData.length > SMALL_CACHE && script.cachedDataRejected === false;
  return { main: module.exports.main, done: good ? () => undefined : () => writeCache(script) };
}

/** Made after the command has run: by then V8 has compiled what commands need. A folder that can't be written is no error. */
async function writeCache(script) {
  const temporary = `${cache}.${process.pid}`;
  try {
    await writeFile(temporary, script.createCachedData());
    await rename(temporary, cache);
  } catch {
    // the next command starts as slowly as this one
  }
}
