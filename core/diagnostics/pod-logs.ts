import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ApiServer } from '../kubernetes/api-server.ts';
import type { Limiter } from '../transfer/concurrency.ts';
import { MAX_LOG_BYTES, reasonOf, type RawText } from './raw-text.ts';

/** Where controllers run: what is said of a cluster is said there. The namespaces of providers have Cluster API's label on their pods. */
const PROVIDER_LABEL = 'cluster.x-k8s.io/provider';
const NAMESPACES = new Set(['flux-system', 'eksa-system', 'cert-manager', 'kube-system', 'tinkerbell']);

const MAX_LOGS = 60;
const MAX_LINES = 3000;
const LOG_TIMEOUT_MS = 10_000;

interface ContainerStatus {
  name: string;
  restartCount?: number;
}

/** Reads the ends of the logs of controllers' pods, also of the run before where a container was started again. */
export async function readPodLogs(
  server: ApiServer,
  pods: readonly KubernetesObject[],
  into: { limiter: Limiter; signal: AbortSignal; logs: RawText[]; missing: string[] },
): Promise<void> {
  const wanted = pods.filter(isController).flatMap(containersOf);
  if (wanted.length > MAX_LOGS) into.missing.push(`logs: only ${MAX_LOGS} of ${wanted.length} were read`);
  await Promise.all(
    wanted.slice(0, MAX_LOGS).map(async ({ namespace, pod, container, previous }) => {
      const name = `${namespace}.${pod}.${container}${previous ? '.previous' : ''}`;
      try {
        const text = await into.limiter.run(() =>
          server.text({
            path: `/api/v1/namespaces/${namespace}/pods/${pod}/log`,
            query: {
              ...{ container, tailLines: String(MAX_LINES), limitBytes: String(MAX_LOG_BYTES), timestamps: 'true' },
              ...(previous ? { previous: 'true' } : {}),
            },
            ...{ operation: 'read log', subject: `Pod ${namespace}/${pod}` },
            signal: AbortSignal.any([into.signal, AbortSignal.timeout(LOG_TIMEOUT_MS)]),
          }),
        );
        into.logs.push({ path: `logs/${name}.log`, text });
      } catch (error) {
        into.missing.push(`log of ${name}: ${reasonOf(error)}`);
      }
    }),
  );
}

function isController({ metadata: { labels = {}, namespace = '' } }: KubernetesObject): boolean {
  return PROVIDER_LABEL in labels || NAMESPACES.has(namespace);
}

function containersOf({ metadata, ...pod }: KubernetesObject): {
  namespace: string;
  pod: string;
  container: string;
  previous: boolean;
}[] {
  const { containerStatuses = [], initContainerStatuses = [] } = (pod['status'] ?? {}) as {
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
  const of = { namespace: metadata.namespace ?? 'default', pod: metadata.name };
  return [...initContainerStatuses, ...containerStatuses].flatMap(({ name, restartCount = 0 }) => [
    { ...of, container: name, previous: false },
    ...(restartCount > 0 ? [{ ...of, container: name, previous: true }] : []),
  ]);
}
