import { stringify } from 'yaml';
import type { GeneratedFile, NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { destinationOf } from '../../../core/oci/rewrite.ts';
import { formatReference, parseReference } from '../../../core/oci/reference.ts';

/**
 * The same copy as an import, for regsync (regclient, docs/regsync.md): what `mirror` makes nodes ask for is where it puts
 * each image. Credentials are left to docker configuration.
 */
export function regsyncFile({ images, registry }: NodeConfigRequest): GeneratedFile {
  const { host = '', prefix = '', map = {}, plainHttp = false, ca } = registry ?? {};
  const rules = { namespace: prefix, map };
  const settings = {
    registry: host,
    ...(plainHttp ? { tls: 'disabled' } : {}),
    ...(ca === undefined ? {} : { regcert: ca }),
  };
  const document = {
    version: 1,
    ...(plainHttp || ca !== undefined ? { creds: [settings] } : {}),
    sync: images.map((image) => {
      const reference = parseReference(image);
      return {
        source: formatReference(reference),
        target: `${host}/${destinationOf(reference, rules)}`,
        type: 'image',
      };
    }),
  };
  return { path: 'regsync.yaml', content: stringify(document, { lineWidth: 0 }) };
}
