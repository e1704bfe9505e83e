import type { Client } from '@temporalio/client';
import type { EmbeddedServer, PayloadCodec, TemporalTarget } from '../../contracts/host.ts';
import { CliError } from '../cli-error.ts';

/** A Temporal to talk to, not connected yet. */
export interface TemporalPlace {
  target: TemporalTarget;
  /** base URL of the web UI, when it is known */
  uiUrl?: string;
  /** metadata of every call, as the operator's profile has it */
  metadata?: Record<string, string>;
}

/** A connection to Temporal. */
export interface Session extends TemporalPlace {
  client: Client;
  close(): Promise<void>;
}

type Environment = Record<string, string | undefined>;
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * The Temporal that Temporal's own environment variables or TOML profile name (docs.temporal.io/develop/environment-configuration);
 * the embedded server when they name no address. `SEALIFT_TEMPORAL_UI` says where the UI of the former is.
 *
 * @throws CliError InvalidInput when the profile cannot be read; whatever `server` throws
 */
export async function temporalPlace(
  server: EmbeddedServer,
  env: Environment,
  progress: (line: string) => void,
): Promise<TemporalPlace> {
  const configured = await configuredPlace(env);
  if (configured !== undefined) return configured;
  const { address, namespace, uiUrl } = await server.ensure(progress);
  return { target: { address, namespace }, uiUrl };
}

/** As {@link temporalPlace}, without starting anything. @returns undefined when nothing is configured */
export async function configuredPlace(env: Environment): Promise<TemporalPlace | undefined> {
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  try {
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
    const { address, apiKey, tls, metadata } = connectionOptions;
    if (address === undefined || address === '') return undefined;
    const target: TemporalTarget = {
      address,
      namespace,
      ...(typeof apiKey === 'string' ? { apiKey } : {}),
      ...(tls === undefined || tls === false || tls === null ? {} : { tls: tlsOf(tls) }),
    };
    const uiUrl = env.SEALIFT_TEMPORAL_UI?.replace(/\/+$/, '');
    return {
      target,
      ...(uiUrl === undefined || uiUrl === '' ? {} : { uiUrl }),
      ...(metadata === undefined ? {} : { metadata: metadata as Record<string, string> }),
    };
  } catch (error) {
    throw new CliError('InvalidInput', {
      side: 'temporal',
      operation: 'read configuration',
      subject: env.TEMPORAL_CONFIG_FILE ?? 'TEMPORAL_* variables',
      message: error instanceof Error ? error.message : String(error),
      remedy: 'see docs/operations.md, "Another Temporal"',
    });
  }
}

/** @throws CliError TemporalUnreachable when it does not answer within five seconds */
export async function connect(place: TemporalPlace, payloadCodecs: PayloadCodec[]): Promise<Session> {
  const { Client, Connection } = await import('@temporalio/client');
  const { address, namespace, apiKey, tls } = place.target;
  try {
    const connection = await Connection.connect({
      address,
      connectTimeout: CONNECT_TIMEOUT_MS,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(tls === undefined ? {} : { tls }),
      ...(place.metadata === undefined ? {} : { metadata: place.metadata }),
    });
    const client = new Client({ connection, namespace, dataConverter: { payloadCodecs } });
    return { ...place, client, close: () => connection.close() };
  } catch (error) {
    throw new CliError('TemporalUnreachable', {
      side: 'temporal',
      operation: 'connect',
      subject: address,
      message: error instanceof Error ? error.message : String(error),
      remedy:
        'look whether it runs (`sealift server status`), and at TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the TLS settings',
    });
  }
}

/** Link to a run in Temporal's UI; undefined when it is not known where the UI is. */
export function uiLink(place: TemporalPlace, workflowId: string, runId: string): string | undefined {
  if (place.uiUrl === undefined) return undefined;
  const namespace = encodeURIComponent(place.target.namespace);
  return `${place.uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}/${runId}/history`;
}

type TlsSettings = Exclude<NonNullable<TemporalTarget['tls']>, true>;

/** The parts of an SDK's TLS configuration that a worker needs too, without keys whose value is undefined. */
function tlsOf(tls: unknown): true | TlsSettings {
  if (typeof tls !== 'object' || tls === null) return true;
  const { serverNameOverride, serverRootCACertificate, clientCertPair } = tls as {
    [Key in keyof TlsSettings]: TlsSettings[Key] | undefined;
  };
  return {
    ...(serverNameOverride === undefined ? {} : { serverNameOverride }),
    ...(serverRootCACertificate === undefined ? {} : { serverRootCACertificate }),
    ...(clientCertPair === undefined ? {} : { clientCertPair }),
  };
}

function definedOnly(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
