import { z } from 'zod';
import type { KubernetesApi } from '../../contracts/source-plugin.ts';
import type { ErrorType } from '../../contracts/errors.ts';
import { SealiftError } from '../errors.ts';
import { createHttpClient, type HttpClient, type HttpResponse } from '../http/client.ts';
import { readCollection } from './collection.ts';
import type { ApiServerAccess } from './kubeconfig.ts';

const MAX_ANSWER = 64 * 1024 * 1024;

const statusSchema = z.looseObject({ kind: z.literal('Status'), message: z.string() });

/** Reads collections of a cluster page by page (kubernetes.io, "API Concepts", "Retrieving large results sets in chunks"). */
export function openKubernetes(access: ApiServerAccess): KubernetesApi {
  const { server, ca, tls, insecureSkipTlsVerify } = access;
  return {
    server,
    async list(path) {
      const settings = { plainHttp: false, insecureSkipTlsVerify, tls, ...(ca === undefined ? {} : { ca }) };
      const http = createHttpClient(settings, 'source');
      try {
        return await listAll(http, access, path);
      } catch (error) {
        throw error instanceof SealiftError ? withKubernetesRemedy(error) : error;
      } finally {
        await http.close();
      }
    },
  };
}

async function listAll(http: HttpClient, access: ApiServerAccess, path: string): Promise<unknown[]> {
  const subject = access.server + path;
  async function readPage(query: Record<string, string>): Promise<unknown> {
    const url = new URL(subject);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const response = await http.request({
      method: 'GET',
      url: url.href,
      headers: {
        accept: 'application/json',
        ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
      },
      maxBytes: MAX_ANSWER,
      operation: 'list',
      subject,
    });
    if (response.status === 410) return undefined;
    if (response.status !== 200) throw refusal(response, subject);
    return jsonOf(response) ?? null;
  }
  const { items } = await readCollection(readPage, (what) =>
    what === 'changing'
      ? apiError('RegistryUnavailable', subject, 'the list changes faster than it can be read', '')
      : apiError(
          'RequestRefused',
          subject,
          'the answer is no list of objects',
          'check that the kubeconfig leads to a Kubernetes API server',
        ),
  );
  return items;
}

function refusal(response: HttpResponse, subject: string): SealiftError {
  const status = statusSchema.safeParse(jsonOf(response));
  const said = status.success ? ` (${status.data.message.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 300)})` : '';
  const message = `the API server answered ${response.status}${said}`;
  if (response.status === 401) {
    const remedy = 'the credentials in the kubeconfig are not accepted, or have expired: get a new kubeconfig';
    return apiError('RegistryUnauthorized', subject, message, remedy);
  }
  if (response.status === 403) {
    const remedy =
      'let the account list this, e.g. `kubectl create clusterrolebinding sealift --clusterrole=view --user=NAME`, ' +
      'or name the namespaces it may read with --source-option namespace=NAME';
    return apiError('RegistryForbidden', subject, message, remedy);
  }
  const type = response.status >= 500 || response.status === 429 ? 'RegistryUnavailable' : 'RequestRefused';
  return apiError(type, subject, message, "look at the API server's own log");
}

/** Trust in an API server comes from the kubeconfig, not from where that in registries comes from. */
function withKubernetesRemedy(error: SealiftError): SealiftError {
  if (error.type !== 'CertificateUntrusted' || !error.problem.remedy.includes('--ca-file')) return error;
  const remedy = 'put the certificate authority of the cluster into the kubeconfig (certificate-authority-data)';
  return apiError(error.type, error.problem.subject, error.problem.message, remedy);
}

function apiError(type: ErrorType, subject: string, message: string, remedy: string): SealiftError {
  return new SealiftError(type, { side: 'source', operation: 'list', subject, message, remedy });
}

function jsonOf(response: HttpResponse): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(response.body));
  } catch {
    return undefined;
  }
}
