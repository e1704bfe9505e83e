import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import { imageAt, listedReferences } from '../../../core/sources/image-list.ts';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import type { ItemCollection } from '../../../core/sources/item-collection.ts';
import type { ChecksumTable } from './checksums.ts';
import { isUrl } from './schema.ts';

/** What the lines of a list become. */
export interface ListSink {
  collection: ItemCollection;
  checksums: ChecksumTable;
  warn(message: string): void;
}

/**
 * Takes in a list of images or of files (Kubespray's images.list and files.list): one a line, told apart by what they are.
 * @throws SealiftError InvalidInput with file and line
 */
export function addList(file: string, text: string, sink: ListSink): void {
  const lines = listedReferences(text);
  if (lines.length === 0) {
    throw inputError({ file, line: 1 }, 'the file lists nothing', {
      remedy: 'write one image reference or URL a line',
    });
  }
  for (const line of lines) {
    const position = { file, line: line.line };
    const foundAt = `${lastSegment(file)}:${line.line}`;
    const item = isUrl(line.text)
      ? fileItem(line.text, position, foundAt, sink)
      : imageAt(line.text, position, foundAt);
    sink.collection.add(item, position);
  }
}

function fileItem(url: string, position: InputPosition, foundAt: string, sink: ListSink): SourceItem {
  const { pathname, host } = downloadUrl(url, position);
  if (isHelmChart(url)) return helmItem(url, foundAt);
  const found = sink.checksums.find(url);
  if ('missing' in found) sink.warn(`${foundAt}: ${url} is carried without a checksum: ${found.missing}`);
  const arch = 'missing' in found ? undefined : found.arch;
  return {
    kind: 'file',
    name: lastSegment(pathname) || host,
    reference: url,
    ...('missing' in found ? {} : { checksums: found.checksums }),
    ...(arch === undefined ? {} : { platforms: [`linux/${arch}`] }),
    foundAt,
  };
}

/** A Helm chart archive by its URL. */
export function helmItem(url: string, foundAt: string): SourceItem {
  return { kind: 'file', name: lastSegment(new URL(url).pathname), reference: url, package: 'helm', foundAt };
}

/** @throws SealiftError InvalidInput when it is not an http(s) URL of a file, or holds credentials */
export function downloadUrl(text: string, position: InputPosition): URL {
  const refuse = (message: string, remedy?: string): Error =>
    inputError(position, message, remedy === undefined ? {} : { remedy });
  if (!URL.canParse(text) || /[\s{}]/.test(text)) throw refuse(`"${text}" is not a URL`, 'write one whole URL a line');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse(`"${text}" is neither http nor https`);
  if (url.username !== '' || url.password !== '') {
    throw refuse('the URL holds credentials', 'leave them out: what a source states travels in the bundle');
  }
  return url;
}

// A host of charts is called so; get.helm.sh, which has the Helm program, is not one.
function isHelmChart(url: string): boolean {
  const { hostname, pathname } = new URL(url);
  return pathname.endsWith('.tgz') && /^(helm|charts?)[.]/.test(hostname);
}

/** What stands behind the last slash. */
export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
