import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { RunningServe, ServeOptions } from '../../contracts/host.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { collect, positiveInteger, requireOptions } from '../options/parse.ts';
import { addMapOption, isNamespace } from '../options/registry-options.ts';
import { bundlePath } from '../options/source-options.ts';

interface Given {
  input: string[];
  listen: { host: string; port: number };
  tlsCert?: string;
  tlsKey?: string;
  htpasswd?: string;
  namespace: string;
  map?: Record<string, string>;
  maxConnections: number;
  debSigningKey?: string;
  accessLog?: boolean;
}

/** `sealift serve` */
export function serveCommand(context: CommandContext): Command {
  const command = new Command('serve')
    .description('Serve bundles read-only until stopped: as an OCI registry, and their files, charts and packages.')
    .option('-i, --input <file>', 'a bundle; repeatable, where two differ the first counts (required)', collect)
    .addOption(
      new Option('--listen <host:port>', 'the address to listen on; port 0 is any that is free')
        .default({ host: '127.0.0.1', port: 5000 }, '127.0.0.1:5000')
        .argParser(parseListen),
    )
    .option('--tls-cert <file>', 'PEM file with the certificate and its intermediates: speak HTTPS')
    .option('--tls-key <file>', 'PEM file with its key')
    .option('--htpasswd <file>', 'let in only the users of this file, made by `htpasswd -B`')
    .addOption(
      new Option('--namespace <path>', 'put repositories below this path, as import into REGISTRY/NAMESPACE does')
        .default('')
        .argParser(parseNamespace),
    )
    .addOption(
      new Option('--max-connections <n>', 'how many connections there are at most')
        .default(1024)
        .argParser(positiveInteger),
    )
    .option('--deb-signing-key <key>', "sign the Debian repository with this key of gpg's keyring")
    .option('--access-log', 'write a JSON line for each request to stderr');
  return requireOptions(addMapOption(command), '--input').action((given: Given) => serve(context, given));
}

async function serve(context: CommandContext, given: Given): Promise<void> {
  const options = serveOptions(given, context.terminal.cwd);
  const host = await context.host();
  const { stderr } = context.terminal;
  const running = await host.serve(options, {
    warn: (message) => {
      context.status().note(`warning: ${message}`);
    },
    ...(given.accessLog === true ? { access: (line) => stderr.write(`${line}\n`) } : {}),
  });
  const { url, repositories } = running;
  context.result({
    text: `Serving ${url} (repositories: ${repositories})\n`,
    json: { kind: 'serve', url, repositories },
  });
  await untilStopped(context, running);
}

/** The first signal lets downloads finish, the second breaks them off. */
async function untilStopped(context: CommandContext, running: RunningServe): Promise<void> {
  let interrupts = 0;
  const stopped = new Promise<void>((resolve, reject) => {
    const release = context.terminal.onInterrupt(() => {
      interrupts += 1;
      if (interrupts > 1) return running.breakOff();
      context.status().note('Stopping; downloads under way are finished. Once more breaks them off.');
      running.stop().finally(release).then(resolve, reject);
    });
  });
  await stopped;
}

function serveOptions(given: Given, cwd: string): ServeOptions {
  const { tlsCert, tlsKey, htpasswd, listen, namespace, maxConnections, debSigningKey } = given;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new CliError('InvalidInput', {
      operation: 'read options',
      subject: tlsCert === undefined ? '--tls-key' : '--tls-cert',
      message: 'a certificate and its key belong together',
      remedy: 'give both --tls-cert and --tls-key',
    });
  }
  return {
    inputs: given.input.map((input) => bundlePath(input, cwd)),
    listen,
    namespace,
    map: given.map ?? {},
    maxConnections,
    ...(tlsCert === undefined || tlsKey === undefined
      ? {}
      : { tls: { certificate: resolve(cwd, tlsCert), key: resolve(cwd, tlsKey) } }),
    ...(debSigningKey === undefined ? {} : { debSigningKey }),
    ...(htpasswd === undefined ? {} : { htpasswd: resolve(cwd, htpasswd) }),
  };
}

/** `HOST:PORT`, `[V6]:PORT` or `:PORT` for every IPv4 address. @throws InvalidArgumentError */
function parseListen(text: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) {
    throw new InvalidArgumentError('It has the form HOST:PORT, e.g. 0.0.0.0:5000.');
  }
  return { host: bracketed ?? (plain || '0.0.0.0'), port };
}

/** @throws InvalidArgumentError */
function parseNamespace(text: string): string {
  if (isNamespace(text)) return text;
  throw new InvalidArgumentError('It is a repository path, e.g. mirror/eks.');
}
