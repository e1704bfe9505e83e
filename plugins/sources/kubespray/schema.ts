import { z } from 'zod';

/** What an input file is, told by its content. */
export type InputKind = 'lists' | 'checksums' | 'system-packages' | 'requirements';

const CHECKSUM = /^(?:sha256:)?[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/;
const URL_START = /^[a-z][a-z0-9+.-]*:\/\//i;
const REQUIREMENT_WITH_VERSION = /^[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*(==|!=|<=|>=|~=|===|<|>)/;

// Older releases write 0 where upstream has no build for an architecture.
const checksumShape = z
  .unknown()
  .refine((value) => value === 0 || (typeof value === 'string' && CHECKSUM.test(value)), {
    message: 'is not sha256: with 64 or sha512: with 128 lower-case hexadecimal digits',
  });

/** One `<tool>_checksums` of Kubespray's checksums.yml: architecture -> version -> checksum. */
export const checksumGroupShape = z.record(z.string(), z.record(z.string(), checksumShape));

/** Kubespray's roles/system_packages/vars/main.yml: package -> conditions that must all hold. */
export const systemPackagesShape = z.object({ pkgs: z.record(z.string(), z.array(z.string())) });

/** Kubespray's download.yml: what is downloaded, as templates; every other key is a variable of theirs. */
export const downloadsShape = z.looseObject({
  downloads: z.record(
    z.string(),
    z.looseObject({ repo: z.unknown().optional(), tag: z.unknown().optional(), url: z.unknown().optional() }),
  ),
});

/** What pip's installation report says of each package (pip's reference, "Installation Report", version 1). */
export const pipReportShape = z.looseObject({
  version: z.literal('1'),
  install: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), version: z.string() }),
      download_info: z.looseObject({
        url: z.string(),
        archive_info: z.looseObject({ hashes: z.record(z.string(), z.string()).optional() }).optional(),
      }),
    }),
  ),
});

/** What playbook.ts lets Ansible write. */
export const renderedShape = z.object({ images: z.array(z.string()), files: z.array(z.string()) });

/** What kind of input a file is. One that is nothing else is a list, whose lines are then checked one by one. */
export function inputKind(content: string): InputKind {
  if (/^["']?\w+_checksums["']?:/m.test(content)) return 'checksums';
  if (/^pkgs:/m.test(content)) return 'system-packages';
  return shareOf(content, (line) => REQUIREMENT_WITH_VERSION.test(line)) >= 0.5 ? 'requirements' : 'lists';
}

/** Whether a list is one of files: lists of images look the same whoever wrote them, so those take `--source kubespray`. */
export function isListOfFiles(content: string): boolean {
  return shareOf(content, isUrl) > 0.5;
}

/** Whether a line of a list is the URL of a file, and not an image reference. */
export function isUrl(text: string): boolean {
  return URL_START.test(text);
}

function shareOf(content: string, holds: (line: string) => boolean): number {
  const lines = content
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.length === 0 ? 0 : lines.filter(holds).length / lines.length;
}
