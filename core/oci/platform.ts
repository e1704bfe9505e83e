import type { Platform } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';

/** Reads `os/arch[/variant]`. @throws SealiftError InvalidInput */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  if (match === null) {
    throw new SealiftError('InvalidInput', {
      side: 'local',
      operation: 'read platform',
      subject: text,
      message: 'it is not OS/ARCH or OS/ARCH/VARIANT',
      remedy: 'write it like linux/amd64 or linux/arm/v7',
    });
  }
  const variant = match[3];
  return { os: match[1]!, architecture: match[2]!, ...(variant === undefined ? {} : { variant }) };
}

/** Whether a platform is what was asked for; a wanted platform without a variant takes every variant. */
export function platformMatches(wanted: Platform, actual: Platform): boolean {
  if (wanted.os !== actual.os || wanted.architecture !== actual.architecture) return false;
  return wanted.variant === undefined || wanted.variant === (actual.variant ?? defaultVariant(actual.architecture));
}

/** The variant that an architecture has when none is stated, as containerd's platforms package normalises it. */
function defaultVariant(architecture: string): string | undefined {
  return { arm64: 'v8', arm: 'v7', amd64: 'v1' }[architecture];
}

/** `os/arch[/variant]` */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}
