import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { CliError } from '../cli-error.ts';

/** Where a cluster of EKS Anywhere pulls from. */
export interface RegistryMirror {
  registry: string;
  map: Record<string, string>;
  insecure: boolean;
}

interface MirrorConfiguration {
  endpoint?: string;
  port?: string | number;
  ociNamespaces?: { registry?: string; namespace?: string }[];
  insecureSkipVerify?: boolean;
}

/**
 * Reads `spec.registryMirrorConfiguration` of the Cluster in a cluster spec (anywhere.eks.amazonaws.com/v1alpha1).
 *
 * @throws CliError FileMissing, InvalidInput
 */
export async function readRegistryMirror(file: string, cwd: string): Promise<RegistryMirror> {
  const path = resolve(cwd, file);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw new CliError('FileMissing', { operation: 'read cluster spec', subject: path, message });
  });
  const configuration = parseAllDocuments(text)
    .map((document) => document.toJS() as { spec?: { registryMirrorConfiguration?: MirrorConfiguration } } | null)
    .find((document) => document?.spec?.registryMirrorConfiguration?.endpoint !== undefined)
    ?.spec?.registryMirrorConfiguration;
  if (configuration?.endpoint === undefined) {
    throw new CliError('InvalidInput', {
      operation: 'read cluster spec',
      subject: path,
      message: 'spec.registryMirrorConfiguration.endpoint is not there',
      remedy: 'add it, or give --registry',
    });
  }
  const { endpoint, port, ociNamespaces = [], insecureSkipVerify = false } = configuration;
  return {
    registry: port === undefined ? endpoint : `${endpoint}:${port}`,
    map: Object.fromEntries(ociNamespaces.map(({ registry = '', namespace = '' }) => [registry, namespace])),
    insecure: insecureSkipVerify,
  };
}
