import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { ClusterPlace, DiagnosticsReport } from '../../contracts/clusters.ts';
import { version } from '../../contracts/version.ts';
import { kubeconfigOf } from '../clusters/kubeconfig.ts';
import { writeFileAtomically } from '../host/atomic-file.ts';
import { openCluster } from '../kubernetes/cluster-access.ts';
import { archiveName, removeOldArchives, writeArchive, type ArchiveFile } from './archive.ts';
import { conditionLines, eventLines } from './describe-reading.ts';
import { readCluster, type ClusterReading } from './read-cluster.ts';
import { learnCredentials, learnFromMachine, readFolder } from './read-folder.ts';
import { redactedJson, redactText } from './redactor.ts';
import { SecretValues } from './secret-values.ts';
import type { RawText } from './raw-text.ts';

/** What is collected, and where to. */
export interface DiagnosticsRequest {
  /** name of the cluster that it is about */
  name: string;
  /** why, for whoever reads it; a line each, redacted like all the rest */
  about: readonly string[];
  /** the clusters of the operation: paths of their kubeconfigs */
  clusters: readonly { place: ClusterPlace; kubeconfig: string }[];
  /** what this machine keeps of the cluster: logs and credentials below it */
  workspace: string;
  /** the worker's environment, for what is secret in it */
  env: Record<string, string | undefined>;
  /** folder of all archives, where the oldest make way; or the file to write */
  output: { folder: string } | { file: string };
  signal: AbortSignal;
  /** how long clusters are asked; what has not answered by then is left out */
  timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 45_000;

/**
 * Collects what clusters and their controllers say into one archive, without secrets: objects, conditions, events, logs.
 * Changes nothing on the clusters.
 * @throws SealiftError PathUnwritable, DiskFull; the signal's reason
 */
export async function collectDiagnostics(request: DiagnosticsRequest): Promise<DiagnosticsReport> {
  const { name, workspace, env, output, signal } = request;
  const at = new Date();
  const secrets = new SecretValues();
  await learnFromMachine(env, secrets);
  await Promise.all(request.clusters.map(({ kubeconfig }) => learnCredentials(kubeconfig, secrets)));
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MS)]);
  const readings = await Promise.all(request.clusters.map((cluster) => readCluster(cluster, secrets, inTime)));
  readings.push(...(await readNewCluster(request, readings, secrets, inTime)));
  const local = await readFolder(workspace, secrets);
  signal.throwIfAborted();

  const clusters = readings.map(({ place, server = null, answered, objects }) => ({
    ...{ place, server, answered },
    objects: [...objects.values()].reduce((sum, { length }) => sum + length, 0),
  }));
  const missing = [
    ...readings.flatMap((reading) => reading.missing.map((what) => `${reading.place}: ${what}`)),
    ...local.missing.map((what) => `this machine: ${what}`),
  ].map((what) => redactText(what, secrets));
  const raw = [
    { path: 'summary.txt', text: summary(request, at, clusters, missing) },
    ...local.logs.map(({ path, text }) => ({ path: join('this-machine', path), text })),
    ...readings.flatMap(textsOf),
  ];
  const archive = 'file' in output ? output.file : join(output.folder, archiveName(name, at));
  await writeArchive(archive, await redactAll(raw, readings, secrets, signal));
  if ('folder' in output) await removeOldArchives(dirname(archive));
  return { archive, clusters, missing };
}

/**
 * A cluster that comes about answers before this machine has its kubeconfig, which whoever makes it keeps; that is needed
 * most when its machines are not ready.
 */
async function readNewCluster(
  { name, clusters, workspace }: DiagnosticsRequest,
  readings: readonly ClusterReading[],
  secrets: SecretValues,
  signal: AbortSignal,
): Promise<ClusterReading[]> {
  if (clusters.some(({ place }) => place === 'self')) return [];
  for (const { place, answered } of readings) {
    const maker = clusters.find((cluster) => cluster.place === place);
    if (!answered || maker === undefined) continue;
    const kubeconfig = join(workspace, `diagnostics-${process.pid}.kubeconfig`);
    try {
      await using cluster = await openCluster(maker.kubeconfig);
      const content = await kubeconfigOf(name, cluster).catch(() => undefined);
      if (content === undefined) continue;
      await writeFileAtomically(kubeconfig, content);
      return [await readCluster({ place: 'self', kubeconfig }, secrets, signal)];
    } finally {
      await rm(kubeconfig, { force: true });
    }
  }
  return [];
}

function textsOf({ place, objects, events, logs }: ClusterReading): RawText[] {
  return [
    { path: join(place, 'conditions.txt'), text: conditionLines(objects) },
    { path: join(place, 'events.txt'), text: eventLines(events) },
    ...logs.map(({ path, text }) => ({ path: join(place, path), text })),
  ].filter(({ text }) => text !== '');
}

async function redactAll(
  texts: readonly RawText[],
  readings: readonly ClusterReading[],
  secrets: SecretValues,
  signal: AbortSignal,
): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  const add = async (path: string, redacted: () => string): Promise<void> => {
    files.push({ path: secrets.removeFrom(path), text: redacted() });
    // megabytes each: heartbeats go in between
    await breathe();
    signal.throwIfAborted();
  };
  for (const { path, text } of texts) await add(path, () => redactText(text, secrets));
  for (const { place, objects } of readings) {
    for (const [kind, found] of objects) {
      await add(join(place, 'objects', `${kind}.json`), () => redactedJson(found, secrets));
    }
  }
  return files;
}

function summary(
  { name, about }: DiagnosticsRequest,
  at: Date,
  clusters: DiagnosticsReport['clusters'],
  missing: readonly string[],
): string {
  const lines = [
    `Diagnostics of cluster ${name}, collected ${at.toISOString()} by Sealift ${version}`,
    ...about,
    '',
    ...clusters.map(({ place, server, answered, objects }) =>
      answered ? `${place} at ${server}: ${objects} objects` : `${place} at ${server ?? '-'}: it does not answer`,
    ),
    ...(clusters.length === 0 ? ['There is no cluster to ask yet.'] : []),
    ...(missing.length === 0 ? [] : ['', 'Not collected:', ...missing.map((what) => `  ${what}`)]),
    '',
    'Of Secrets and ConfigMaps there are only names, labels and keys. What is known to be secret, or looks like it, is *** everywhere.',
  ];
  return `${lines.join('\n')}\n`;
}
