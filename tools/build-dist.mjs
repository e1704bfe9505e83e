// `npm run build`: compiles into a folder beside dist/ and puts it in dist's place by rename, so that a command that starts
// while this runs finds the old build or the new one, and a build that fails leaves the old one alone.
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// Beside dist/, not in a temporary folder: the source maps are relative, and packages are found from the parent folder.
const fresh = '.dist-new';
const old = '.dist-old';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', fresh);
node(`${fresh}/workers/bundle-workflows.js`);
// The command line and the packages it uses as one CommonJS file, see bin/load-cli.mjs.
await build({
  entryPoints: [`${fresh}/cli/main.js`],
  outfile: `${fresh}/cli.cjs`,
  bundle: true,
  platform: 'node',
  target: 'node20.3',
  format: 'cjs',
  logLevel: 'error',
});
// A folder can't be renamed over one that holds something: for an instant between the two there is no dist.
if (existsSync('dist')) renameSync('dist', old);
renameSync(fresh, 'dist');
rmSync(old, { recursive: true, force: true });

function node(...args) {
  try {
    execFileSync(process.execPath, args, { stdio: 'inherit' });
  } catch (error) {
    // the program has said why, and nothing of it is in dist
    rmSync(fresh, { recursive: true, force: true });
    process.exit(error.status ?? 1);
  }
}
