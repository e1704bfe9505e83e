import { build } from 'esbuild';

/** Build step: dist/cli and the packages it uses as one CommonJS file, see bin/load-cli.mjs. */
await build({
  entryPoints: ['dist/cli/main.js'],
  outfile: 'dist/cli.cjs',
  bundle: true,
  platform: 'node',
  target: 'node20.3',
  format: 'cjs',
  logLevel: 'error',
});
