import type { Checksums } from '../../../contracts/bill-of-materials.ts';
import { inputError, positionText, type InputPosition } from '../../../core/sources/input-error.ts';
import { parseYamlDocuments, readShape, type YamlDocument } from '../../../core/sources/yaml-documents.ts';
import { checksumGroupShape } from './schema.ts';
import { toolOf, type Tool } from './tools.ts';

/** What Kubespray knows of the files it downloads. */
export interface ChecksumTable {
  /** Takes in one checksums.yml. @throws SealiftError InvalidInput with file and line */
  add(file: string, bytes: Uint8Array): void;
  /** The checksums of the file behind a URL, or why there are none. */
  find(url: string): { checksums: Checksums; arch?: string } | { missing: string };
}

interface Stated {
  checksums: Checksums;
  position: InputPosition;
}

/** A table that is still empty. */
export function createChecksumTable(): ChecksumTable {
  const stated = new Map<string, Stated>();

  function addGroup(document: YamlDocument, group: string): void {
    for (const [arch, versions] of Object.entries(readShape(document, checksumGroupShape, [group]))) {
      for (const [version, value] of Object.entries(versions)) {
        // 0 says that there is no such build
        if (typeof value !== 'string') continue;
        const position = document.positionOf([group, arch, version]);
        const key = keyOf({ group, arch, version });
        const checksums = checksumsOf(value);
        const earlier = stated.get(key);
        if (earlier !== undefined && JSON.stringify(earlier.checksums) !== JSON.stringify(checksums)) {
          const message = `another checksum is stated at ${positionText(earlier.position)}`;
          throw inputError(position, message, { remedy: 'give the checksums.yml of one Kubespray release' });
        }
        stated.set(key, { checksums, position });
      }
    }
  }

  return {
    add(file, bytes) {
      for (const document of parseYamlDocuments(file, bytes)) {
        const groups = typeof document.value === 'object' && document.value !== null ? Object.keys(document.value) : [];
        for (const group of groups) if (group.endsWith('_checksums')) addGroup(document, group);
      }
    },
    find(url) {
      if (stated.size === 0) return { missing: 'no checksums.yml was given' };
      const tool = toolOf(url);
      if (tool === undefined) return { missing: 'checksums.yml has no tool that is downloaded from such a URL' };
      const found = stated.get(keyOf(tool));
      if (found === undefined) {
        return { missing: `checksums.yml has no ${tool.group} of version ${tool.version} for ${tool.arch}` };
      }
      return { checksums: found.checksums, ...(tool.arch === 'no_arch' ? {} : { arch: tool.arch }) };
    },
  };
}

// Older releases write versions with a `v`.
function keyOf({ group, arch, version }: Tool): string {
  return [group, arch, version.replace(/^v/, '')].join(' ');
}

function checksumsOf(value: string): Checksums {
  const [algorithm, hex] = value.includes(':') ? value.split(':') : ['sha256', value];
  return algorithm === 'sha512' ? { sha512: hex ?? '' } : { sha256: hex ?? '' };
}
