import { stringify } from 'yaml';
import { makeZip } from './zip.ts';

export interface CharmContent {
  name: string;
  /** OCI image of each resource; null: the charm does not say */
  resources?: Record<string, string | null>;
  /** default of each option */
  options?: Record<string, string>;
  /** further files by their path */
  files?: Record<string, string>;
  /** channel of the Ubuntu base, e.g. `22.04` */
  base?: string;
}

/** A packed charm as charmcraft makes it, as far as anything reads it. The same content gives the same bytes. */
export function makeCharm({ name, resources = {}, options, files = {}, base }: CharmContent): Buffer {
  const declared = Object.entries(resources).map(([resource, image]) => [
    resource,
    { type: 'oci-image', ...(image === null ? {} : { 'upstream-source': image }) },
  ]);
  const settable = Object.entries(options ?? {}).map(([option, value]) => [option, { type: 'string', default: value }]);
  return makeZip({
    'metadata.yaml': stringify({ name, summary: name, resources: Object.fromEntries(declared) }),
    ...(options === undefined ? {} : { 'config.yaml': stringify({ options: Object.fromEntries(settable) }) }),
    ...(base === undefined ? {} : { 'manifest.yaml': stringify({ bases: [{ name: 'ubuntu', channel: base }] }) }),
    dispatch: '#!/bin/sh\necho a charm is never run here >&2\nexit 1\n',
    ...files,
  });
}
