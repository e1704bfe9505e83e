/** Only what clients or browsers act on; the rest is bytes. */
const byExtension: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  txt: 'text/plain; charset=utf-8',
  asc: 'text/plain; charset=utf-8',
  tgz: 'application/gzip',
  gz: 'application/gzip',
  deb: 'application/vnd.debian.binary-package',
};

/** The media type of a file by its name. */
export function mediaTypeOf(path: string): string {
  const extension = /\.([a-z]+)$/.exec(path)?.[1] ?? '';
  return Object.hasOwn(byExtension, extension) ? byExtension[extension]! : 'application/octet-stream';
}
