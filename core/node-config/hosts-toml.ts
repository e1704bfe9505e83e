import type { GeneratedFile, NodeConfigRequest } from '../../contracts/source-plugin.ts';
import { namespaceOf } from '../oci/rewrite.ts';

type Registry = NonNullable<NodeConfigRequest['registry']>;

/** A file whose text is known. */
export type TextFile = Extract<GeneratedFile, { content: string }>;

export interface MirrorHosts {
  /** registry hosts as the images name them, `host[:port]` */
  origins: readonly string[];
  /** where their images are pulled from instead */
  registry: Registry;
  /** absolute path on the node of containerd's `config_path` */
  folder: string;
  /** value of an Authorization header for the registry, when it wants one */
  authorization?: string;
  /** take any certificate of the registry */
  skipVerify?: boolean;
}

/**
 * containerd's `hosts.d` on a node whose images come from one private registry: a folder for each origin, one for the
 * registry itself, and `_default` for all others, so that an image that is not there is "not found" at once, not a time-out
 * of an origin that can't be reached.
 *
 * Format: containerd, docs/hosts.md. What is said at the top and for the host is the same, since containerd 1.6 and 2.x
 * obey different halves of it; this form is the one with which both show the registry's own error.
 *
 * @returns paths relative to the node's root
 */
export function mirrorHosts({ origins, registry, folder, authorization, skipVerify }: MirrorHosts): TextFile[] {
  const at = (name: string): string => `${folder.replace(/\/+$/, '')}/${name}`;
  const prefixOf = (origin: string): string =>
    origin === registry.host ? '' : namespaceOf(origin, { namespace: registry.prefix, map: registry.map });
  const hosts = new Map([...origins, registry.host].map((origin) => [folderOf(origin), prefixOf(origin)]));
  hosts.set('_default', registry.prefix);
  return [...hosts].flatMap(([name, prefix]): TextFile[] => {
    const ca = registry.ca === undefined ? undefined : at(`${name}/ca.crt`);
    const content = hostsToml(mirrorUrl(registry, prefix), { ca, authorization, skipVerify });
    const secret = authorization === undefined ? {} : { secret: true as const };
    const path = at(`${name}/hosts.toml`).slice(1);
    const toml: TextFile = { path, content, ...secret };
    return ca === undefined ? [toml] : [{ path: ca.slice(1), content: registry.ca ?? '' }, toml];
  });
}

/** A string of TOML v1.0 ("Basic strings"): JSON's escapes are all among them, and DEL must be escaped too. */
export function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007F');
}

function mirrorUrl({ host, plainHttp }: Registry, prefix: string): string {
  return `${plainHttp ? 'http' : 'https'}://${host}/v2${prefix === '' ? '' : `/${prefix}`}`;
}

/** The folder that containerd looks into first: a colon becomes `_`, and another one ends the name. */
function folderOf(host: string): string {
  const colon = host.lastIndexOf(':');
  return colon > 0 ? `${host.slice(0, colon)}_${host.slice(colon + 1)}_` : host;
}

interface HostSettings {
  ca: string | undefined;
  authorization: string | undefined;
  skipVerify: boolean | undefined;
}

function hostsToml(url: string, { ca, authorization, skipVerify }: HostSettings): string {
  const server = tomlString(url);
  const settings = [
    'capabilities = ["pull", "resolve"]',
    'override_path = true',
    ...(ca === undefined ? [] : [`ca = ${tomlString(ca)}`]),
    ...(skipVerify === true ? ['skip_verify = true'] : []),
  ];
  const header = authorization === undefined ? [] : [`  Authorization = [${tomlString(authorization)}]`];
  return [
    `server = ${server}`,
    ...settings,
    ...(header.length === 0 ? [] : ['', '[header]', ...header]),
    '',
    `[host.${server}]`,
    ...settings.map((line) => `  ${line}`),
    ...(header.length === 0 ? [] : ['', `  [host.${server}.header]`, ...header.map((line) => `  ${line}`)]),
    '',
  ].join('\n');
}
