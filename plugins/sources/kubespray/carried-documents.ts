import { createHash } from 'node:crypto';
import type { SourceDocument } from '../../../contracts/bill-of-materials.ts';
import { lastSegment } from './lists.ts';

const TAG_CHARACTERS = /[^A-Za-z0-9_.-]+/g;
const MAX_NAME = 100;

/**
 * The lists, checksums and requirements byte by byte, so that the far side can tell what it got. Sorted by destination;
 * files of one name and different contents are told apart by their content.
 */
export function carriedDocuments(inputs: readonly { file: string; bytes: Uint8Array }[]): SourceDocument[] {
  const contents = new Map(
    inputs.map(({ file, bytes }) => {
      const title = lastSegment(file.replace(/[?#].*$/, '')) || 'input';
      const hex = createHash('sha256').update(bytes).digest('hex');
      return [`${title} ${hex}`, { title, hex, bytes }];
    }),
  );
  const entries = [...contents.values()].filter(({ bytes }) => bytes.length > 0);
  const documents = entries.map(({ title, hex, bytes }) => {
    const alone = entries.filter((other) => tagOf(other.title) === tagOf(title)).length === 1;
    return {
      destination: `sealift/kubespray/inputs:${tagOf(title)}${alone ? '' : `-${hex.slice(0, 12)}`}`,
      title,
      mediaType: /[.]ya?ml$/.test(title) ? 'application/yaml' : 'text/plain',
      content: bytes,
    };
  });
  return documents.sort((a, b) => (a.destination < b.destination ? -1 : 1));
}

function tagOf(title: string): string {
  return (
    title
      .replace(TAG_CHARACTERS, '-')
      .replace(/^[.-]+/, '')
      .slice(0, MAX_NAME) || 'input'
  );
}
