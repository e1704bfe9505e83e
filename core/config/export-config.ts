import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import type { ExportConfig } from '../../contracts/export-config.ts';
import type { SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';
import { inputError } from '../sources/input-error.ts';
import { readLocal } from '../sources/read-local.ts';
import { parseYamlDocuments, readShape, type YamlDocument } from '../sources/yaml-documents.ts';
import { exportConfig } from './schema.ts';

type SourceEntry = Pick<SourcePlugin, 'name' | 'options'>;
type ConfiguredSource = NonNullable<z.infer<typeof exportConfig>['sources']>[number];

/**
 * Reads a `sealift.yaml`; what is relative in it is relative to the file.
 * @param path absolute
 * @param known the sources there are
 * @throws SealiftError FileMissing; InvalidInput with file, line and field
 */
export async function readExportConfig(path: string, known: readonly SourceEntry[]): Promise<ExportConfig> {
  const [document, second] = parseYamlDocuments(path, await readLocal(path, 'local'));
  if (second !== undefined) throw inputError(second.positionOf([]), 'the file holds more than one YAML document');
  const { sources, output, lock, caFile, ...flags } = readShape(document!, exportConfig);
  const folder = dirname(path);
  const at = (given: string): string => resolve(folder, given);
  return {
    ...defined(flags),
    ...(output === undefined ? {} : { output: at(output) }),
    ...(lock === undefined ? {} : { lock: at(lock) }),
    ...(caFile === undefined ? {} : { caFile: at(caFile) }),
    ...(sources === undefined
      ? {}
      : { sources: sources.map((source, index) => selection(document!, source, index, known, folder)) }),
  };
}

function selection(
  document: YamlDocument,
  source: ConfiguredSource,
  index: number,
  known: readonly SourceEntry[],
  folder: string,
): SourceSelection {
  const { name, files, kubeVersions, providers, release, options } = source;
  const entry = known.find((one) => one.name === name);
  if (entry === undefined) {
    throw inputError(document.positionOf(['sources', index, 'name']), `there is no source ${name}`, {
      remedy: `use one of ${known.map((one) => one.name).join(', ')}`,
    });
  }
  const own = Object.entries(options ?? {}).map(([option, given]) => {
    const { path = false } = entry.options?.find((one) => one.name === option) ?? {};
    const values = [given].flat();
    return [option, path ? values.map((value) => absolute(value, folder)) : values] as const;
  });
  return {
    source: name,
    files: files.map((file) => absolute(file, folder)),
    kubeVersions,
    providers,
    ...(release === undefined ? {} : { release }),
    ...(options === undefined ? {} : { options: Object.fromEntries(own) }),
  };
}

function absolute(location: string, folder: string): string {
  return /^(https?|file):\/\//i.test(location) ? location : resolve(folder, location);
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
