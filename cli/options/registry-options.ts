import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { RegistryOptions } from '../../contracts/run-options.ts';
import { CliError } from '../cli-error.ts';
import { collectPairs } from './parse.ts';

/** What the options say about how hosts are reached. */
export interface ConnectionOptions {
  plainHttp?: boolean;
  insecureSkipTlsVerify?: boolean;
  caFile?: string;
}

/** What the options say about a registry to write to or to check. */
export interface DestinationOptions extends ConnectionOptions {
  registry: string;
  map?: Record<string, string>;
}

/** Adds the options that say how hosts are reached. There is none for credentials: those never belong in argv. */
export function addConnectionOptions(command: Command): Command {
  return command
    .option('--plain-http', 'speak HTTP, not HTTPS')
    .option('--ca-file <file>', 'PEM file with additional certificate authorities')
    .option('--insecure-skip-tls-verify', 'accept any certificate');
}

/** Adds the option that maps origins to namespaces, as ociNamespaces of EKS Anywhere does. */
export function addMapOption(command: Command): Command {
  return command.option(
    '--map <origin=namespace>',
    'put what comes from this origin host into this namespace; repeatable',
    collectPairs,
  );
}

export function registryOptions(options: ConnectionOptions, cwd: string): RegistryOptions {
  return {
    plainHttp: options.plainHttp ?? false,
    insecureSkipTlsVerify: options.insecureSkipTlsVerify ?? false,
    ...(options.caFile === undefined ? {} : { caFile: resolve(cwd, options.caFile) }),
  };
}

/**
 * Splits `HOST[:PORT][/NAMESPACE]`, names as in the OCI distribution specification, "Pulling manifests".
 *
 * @throws CliError InvalidInput
 */
export function parseRegistry(text: string): { host: string; namespace: string } {
  const trimmed = text.replace(/\/+$/, '');
  const slash = trimmed.indexOf('/');
  const host = slash === -1 ? trimmed : trimmed.slice(0, slash);
  const namespace = slash === -1 ? '' : trimmed.slice(slash + 1);
  const goodHost = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?$/.test(host);
  const goodNamespace = isNamespace(namespace);
  if (goodHost && goodNamespace) return { host, namespace };
  throw new CliError('InvalidInput', {
    side: 'destination',
    operation: 'read registry',
    subject: withoutCredentials(text),
    message: goodHost ? 'the namespace is not a repository name' : 'it has not the form HOST[:PORT][/NAMESPACE]',
    remedy: registryRemedy(text),
  });
}

/** Whether text can be a namespace: a repository path, or nothing. */
export function isNamespace(text: string): boolean {
  const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
  return text === '' || new RegExp(`^${component}(?:/${component})*$`).test(text);
}

function registryRemedy(text: string): string {
  if (text.includes('@')) return 'leave out the credentials: they belong in docker configuration (`docker login`)';
  return text.includes('://')
    ? 'leave out the scheme; --plain-http speaks HTTP'
    : 'e.g. registry.example.com:5000/mirror';
}

/** The text of an option with everything before an `@` hidden but a key and a scheme: it may be shown. */
export function withoutCredentials(text: string): string {
  return text.replace(/^([^@]*=)?([a-z][a-z0-9+.-]*:\/\/)?.*@/i, '$1$2***@');
}
