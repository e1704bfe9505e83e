import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import type { SourceContext } from '../../contracts/source-plugin.ts';
import { SealiftError } from '../errors.ts';
import { inputError } from '../sources/input-error.ts';
import { parseYamlDocuments, readShape, type FieldPath, type YamlDocument } from '../sources/yaml-documents.ts';

/** How one cluster's API server is reached, and as whom. */
export interface ApiServerAccess {
  /** URL without a slash at its end */
  server: string;
  insecureSkipTlsVerify: boolean;
  /** PEM */
  ca?: string;
  tls: { cert?: string; key?: string; servername?: string };
  token?: string;
}

type Tools = Pick<SourceContext, 'read' | 'run'>;

const entries = z.array(z.looseObject({ name: z.string().min(1) }));

const execSchema = z.looseObject({
  apiVersion: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
});

const clusterSchema = z.looseObject({
  server: z.url({ protocol: /^https?$/, error: 'it is no http or https URL' }),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
});

const userSchema = z.looseObject({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  exec: execSchema.nullish(),
});

const contextSchema = z.looseObject({ cluster: z.string(), user: z.string().optional() });

const configSchema = z.looseObject({
  kind: z.literal('Config', { error: 'it is not Config: this is no kubeconfig' }),
  'current-context': z.string().optional(),
  clusters: entries,
  contexts: entries,
  users: entries.nullish(),
});

/** What would change who asks, or which way, must not be passed over in silence. */
const unsupported = {
  cluster: ['proxy-url'],
  user: ['auth-provider', 'username', 'as', 'as-groups', 'as-uid'],
} as const;

/**
 * Reads how to reach a cluster from a kubeconfig (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"; API
 * `client.authentication.k8s.io` for credentials that a program gives). Relative paths are relative to the kubeconfig.
 * @param contextName its current one when undefined
 * @throws SealiftError InvalidInput with file and line; those of `read` and `run`
 */
export async function readKubeconfig(
  location: string,
  contextName: string | undefined,
  tools: Tools,
): Promise<ApiServerAccess> {
  const [document] = parseYamlDocuments(location, await tools.read(location));
  const config = readShape(document!, configSchema);
  const wanted = contextName ?? config['current-context'];
  if (wanted === undefined || wanted === '') {
    throw inputError(document!.positionOf(['current-context']), 'the kubeconfig has no current context', {
      remedy: `choose one: ${names(config.contexts)}`,
    });
  }
  const context = readShape(document!, contextSchema, entry(document!, 'context', config.contexts, wanted));
  const clusterPath = entry(document!, 'cluster', config.clusters, context.cluster);
  const cluster = readShape(document!, clusterSchema, clusterPath);
  refuseUnsupported(document!, clusterPath, cluster, unsupported.cluster);
  const files = pemReader(document!, location, tools);
  const ca = await files(clusterPath, cluster, 'certificate-authority');
  const user =
    context.user === undefined ? {} : await readUser(document!, config.users ?? [], context.user, files, tools);
  const servername = cluster['tls-server-name'];
  return {
    server: cluster.server.replace(/\/+$/, ''),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] ?? false,
    ...(ca === undefined ? {} : { ca }),
    ...(user.token === undefined ? {} : { token: user.token }),
    tls: { ...user.tls, ...(servername === undefined ? {} : { servername }) },
  };
}

type PemReader = (path: FieldPath, fields: Record<string, unknown>, name: string) => Promise<string | undefined>;
type Credentials = Partial<Pick<ApiServerAccess, 'token' | 'tls'>>;

async function readUser(
  document: YamlDocument,
  users: { name: string }[],
  name: string,
  files: PemReader,
  tools: Tools,
): Promise<Credentials> {
  const path = entry(document, 'user', users, name);
  const user = readShape(document, userSchema, path);
  refuseUnsupported(document, path, user, unsupported.user);
  const cert = await files(path, user, 'client-certificate');
  const key = await files(path, user, 'client-key');
  const token = user.token ?? (await files(path, user, 'tokenFile'))?.trim();
  if (token === undefined && cert === undefined && user.exec != null) {
    return execCredentials(document, [...path, 'exec'], user.exec, tools);
  }
  return {
    ...(token === undefined ? {} : { token }),
    tls: { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) },
  };
}

/** The path of a named entry's content. @throws SealiftError InvalidInput with the names there are */
function entry(document: YamlDocument, kind: string, listed: { name: string }[], name: string): FieldPath {
  const index = listed.findIndex((found) => found.name === name);
  if (index !== -1) return [`${kind}s`, index, kind];
  throw inputError(document.positionOf([`${kind}s`]), `there is no ${kind} ${name}`, {
    remedy: listed.length === 0 ? 'export the kubeconfig again' : `use one of: ${names(listed)}`,
  });
}

function names(listed: { name: string }[]): string {
  return listed.map(({ name }) => name).join(', ');
}

function refuseUnsupported(document: YamlDocument, path: FieldPath, fields: object, refused: readonly string[]): void {
  const found = refused.find((field) => field in fields);
  if (found === undefined) return;
  throw inputError(document.positionOf([...path, found]), 'Sealift does not support it', {
    remedy: 'use a kubeconfig with a token, a client certificate or an exec command; a proxy is taken from HTTPS_PROXY',
  });
}

/** Reads `<name>-data` (base64) or the file that `<name>` names. */
function pemReader(document: YamlDocument, location: string, tools: Tools): PemReader {
  return async (path, fields, name) => {
    const data = fields[`${name}-data`];
    if (typeof data === 'string' && data !== '') {
      if (/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(data)) return Buffer.from(data, 'base64').toString('utf8');
      throw inputError(document.positionOf([...path, `${name}-data`]), 'it is not base64');
    }
    const file = fields[name];
    if (typeof file !== 'string' || file === '') return undefined;
    const bytes = await tools.read(isAbsolute(file) ? file : join(dirname(location), file));
    return Buffer.from(bytes).toString('utf8');
  };
}

const credentialSchema = z.object({
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
  }),
});

async function execCredentials(
  document: YamlDocument,
  path: FieldPath,
  { apiVersion, command, args, env }: z.infer<typeof execSchema>,
  { run }: Tools,
): Promise<Credentials> {
  const variables = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const request = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const output = await run(command, args ?? [], {
    env: { ...variables, KUBERNETES_EXEC_INFO: JSON.stringify(request) },
  }).catch((error: unknown) => {
    throw withoutArguments(error, command);
  });
  if (output === undefined) {
    throw new SealiftError('ToolMissing', {
      side: 'source',
      operation: 'get credentials of cluster',
      subject: command,
      message: `${document.file} names it, and there is no such program`,
      remedy: 'install it on the machine where the worker runs, or use a kubeconfig with a token or client certificate',
    });
  }
  const parsed = credentialSchema.safeParse(jsonOf(output));
  if (!parsed.success) throw inputError(document.positionOf(path), `${command} did not print an ExecCredential`);
  const { token, clientCertificateData: cert, clientKeyData: key } = parsed.data.status;
  return {
    ...(token === undefined ? {} : { token }),
    tls: { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) },
  };
}

/** The arguments may hold a secret, which no error may repeat. */
function withoutArguments(error: unknown, command: string): unknown {
  if (!(error instanceof SealiftError) || error.type !== 'ToolFailed') return error;
  const { side, message, remedy } = error.problem;
  const said = message.startsWith('Command failed') ? 'it ended with an error and said nothing' : message;
  const operation = 'get credentials of cluster';
  return new SealiftError('ToolFailed', { side, operation, subject: command, message: said, remedy });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
