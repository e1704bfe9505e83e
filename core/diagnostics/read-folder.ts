import { open, readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { MAX_LOG_BYTES, reasonOf, type RawText } from './raw-text.ts';
import type { SecretValues } from './secret-values.ts';
import { isSecretName } from './text-secrets.ts';

const MAX_LOGS = 40;
/** Files whose content is a credential, or holds one. */
const CREDENTIALS = /\.(key|token|kubeconfig)$/;
/** In YAML or JSON. */
const KUBECONFIG = /^[\s{]*"?(apiVersion|kind|clusters|users)"?:/m;
const MAX_CREDENTIAL_BYTES = 256 * 1024;

/**
 * Reads the ends of the logs below a cluster's folder: of a bootstrap cluster of processes, its control plane's and its
 * controllers'. What the credentials there are is added to `secrets`.
 */
export async function readFolder(
  folder: string,
  secrets: SecretValues,
): Promise<{ logs: RawText[]; missing: string[] }> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const files = names.map((name) => join(folder, name));
  await Promise.all(files.filter((file) => CREDENTIALS.test(file)).map((file) => learnCredentials(file, secrets)));
  const logFiles = files.filter((file) => file.endsWith('.log')).sort();
  const missing = logFiles.length > MAX_LOGS ? [`logs: only ${MAX_LOGS} of ${logFiles.length} were read`] : [];
  const logs: RawText[] = [];
  for (const file of logFiles.slice(0, MAX_LOGS)) {
    const path = relative(folder, file);
    try {
      logs.push({ path, text: await endOf(file) });
    } catch (error) {
      missing.push(`${path}: ${reasonOf(error)}`);
    }
  }
  return { logs, missing };
}

/** Adds what the environment and Docker's configuration hold of credentials. */
export async function learnFromMachine(env: Record<string, string | undefined>, secrets: SecretValues): Promise<void> {
  for (const [name, value = ''] of Object.entries(env)) {
    // a path to a secret is none
    if ((isSecretName(name) || /SECRET|CREDENTIAL/i.test(name)) && !value.startsWith('/')) secrets.add(value, 4);
    secrets.learn(value);
  }
  const { DOCKER_CONFIG: folder = join(env['HOME'] ?? homedir(), '.docker'), REGISTRY_AUTH_FILE: file } = env;
  for (const path of [join(folder, 'config.json'), ...(file === undefined ? [] : [file])]) {
    secrets.learn(await readFile(path, 'utf8').catch(() => ''));
  }
}

/** Of a kubeconfig what is secret in it, of anything else all of it. */
export async function learnCredentials(file: string, secrets: SecretValues): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.length > MAX_CREDENTIAL_BYTES) return;
  if (KUBECONFIG.test(text)) secrets.learn(text);
  else secrets.add(text);
}

/** From the beginning of a line: half a secret would not be known again. */
async function endOf(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, MAX_LOG_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.toString('utf8', 0, bytesRead);
    if (length === size) return text;
    return `(the first ${size - length} bytes are left out)\n${text.slice(text.indexOf('\n') + 1)}`;
  } finally {
    await handle.close();
  }
}
