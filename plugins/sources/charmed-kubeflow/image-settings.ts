import { parse } from 'yaml';
import type { z } from 'zod';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import { readShape } from '../../../core/sources/yaml-documents.ts';
import { defaultsFile, type Charm } from './charm.ts';
import { imageListShape, imageMapShape, type BundleApplication, type ImageSetting } from './schema.ts';

/** A setting with the place to blame for what it says. */
export interface FoundSetting {
  setting: ImageSetting;
  position: InputPosition;
}

/** Where an option's value comes from: the bundle's application, or the charm's own default. */
interface GivenValue {
  text: string;
  position: InputPosition;
}

/** Options that a charm fills from its own `custom_images` when they are empty (knative-serving). */
const filledFromMap: Readonly<Record<string, string>> = { queue_sidecar_image: 'queue-proxy' };

/**
 * Every option of a charm that names images, with the images that a deployment with these options would use.
 * @param given options of the bundle's application, with where each stands
 * @throws SealiftError InvalidInput for a value that is not what the option holds
 */
export function imageSettings(
  charm: Charm,
  given: { options: NonNullable<BundleApplication['options']>; positionOf: (option: string) => InputPosition },
  warn: (message: string) => void,
): FoundSetting[] {
  const declared = charm.config?.content.options ?? {};
  const settings: FoundSetting[] = [];
  for (const [option, { default: standard }] of Object.entries(declared)) {
    const own = given.options[option];
    const value: GivenValue =
      own === undefined
        ? { text: textOf(standard), position: charm.config!.document.positionOf(['options', option, 'default']) }
        : { text: textOf(own), position: given.positionOf(option) };
    const setting = settingOf(charm, option, value, warn);
    if (setting !== undefined) settings.push({ setting, position: value.position });
  }
  return [...settings, ...followers(declared, settings)];
}

function settingOf(
  charm: Charm,
  option: string,
  value: GivenValue,
  warn: (message: string) => void,
): ImageSetting | undefined {
  if (option === 'custom_images') return mapSetting(charm, option, value, warn);
  if (option === 'image-configuration') return hubSetting(option, value);
  if (/[-_]images$/.test(option)) return listSetting(charm, option, value, warn);
  if (!/[-_]image$/.test(option) || value.text === '') return undefined;
  return { option, form: 'reference', image: value.text };
}

/** YAML or JSON, key -> image; a key that is empty stands for what the charm's own file says. */
function mapSetting(
  charm: Charm,
  option: string,
  value: GivenValue,
  warn: (message: string) => void,
): ImageSetting | undefined {
  const own = nested(value, imageMapShape) ?? {};
  const file = charm.defaults.get(defaultsFile(option));
  const standard = file === undefined ? {} : readShape(file, imageMapShape);
  const merged = { ...standard, ...Object.fromEntries(Object.entries(own).filter(([, image]) => filled(image))) };
  const images = Object.entries(merged).filter((entry): entry is [string, string] => filled(entry[1]));
  const unknown = Object.keys({ ...own, ...standard }).filter((key) => !filled(merged[key]));
  if (unknown.length > 0) {
    warn(
      `${charm.file}: the option ${option} does not say which images these are: ${unknown.join(', ')}; ` +
        `set them in the bundle (applications.*.options.${option}), or they will be pulled from outside`,
    );
  }
  return images.length === 0 ? undefined : { option, form: 'map', images: Object.fromEntries(images) };
}

function listSetting(
  charm: Charm,
  option: string,
  value: GivenValue,
  warn: (message: string) => void,
): ImageSetting | undefined {
  const file = charm.defaults.get(defaultsFile(option));
  const images = nested(value, imageListShape) ?? (file === undefined ? undefined : readShape(file, imageListShape));
  if (images === undefined) warn(`${charm.file}: nothing says which images the option ${option} stands for`);
  return images === undefined || images.length === 0 ? undefined : { option, form: 'list', images };
}

/** Istio's hub, tag and image names, and whole references under other keys. */
function hubSetting(option: string, value: GivenValue): ImageSetting | undefined {
  const values = nested(value, imageMapShape);
  if (values === undefined) return undefined;
  if (!filled(values['global-hub']) || !filled(values['global-tag'])) {
    throw inputError(value.position, 'it needs a global-hub and a global-tag');
  }
  const stated = Object.entries(values).filter((entry): entry is [string, string] => filled(entry[1]));
  return { option, form: 'hub', values: Object.fromEntries(stated) };
}

function followers(declared: Record<string, unknown>, settings: readonly FoundSetting[]): FoundSetting[] {
  return settings.flatMap(({ setting, position }) => {
    if (setting.form !== 'map') return [];
    return Object.entries(filledFromMap).flatMap(([option, key]): FoundSetting[] => {
      const image = setting.images[key];
      const isSet = settings.some((other) => other.setting.option === option);
      if (image === undefined || isSet || !(option in declared)) return [];
      return [{ setting: { option, form: 'reference', image }, position }];
    });
  });
}

/** Every image that a setting stands for, with the key it stands under. */
export function imagesOf(setting: ImageSetting): { key: string; image: string }[] {
  const { option } = setting;
  switch (setting.form) {
    case 'reference':
      return [{ key: option, image: setting.image }];
    case 'list':
      return setting.images.map((image, index) => ({ key: `${option}[${index}]`, image }));
    case 'map':
      return Object.entries(setting.images).map(([key, image]) => ({ key: `${option}.${key}`, image }));
    case 'hub':
      return Object.entries(setting.values)
        .filter(([key]) => !isHubPart(key))
        .map(([key, value]) => ({ key: `${option}.${key}`, image: hubImage(setting.values, value) }));
  }
}

/**
 * The value of the option that stands for the same images elsewhere.
 * @param place where an image is on the far side
 */
export function placedValue(setting: ImageSetting, place: (image: string) => string): string {
  switch (setting.form) {
    case 'reference':
      return place(setting.image);
    case 'list':
      return JSON.stringify(setting.images.map(place));
    case 'map':
      return JSON.stringify(mapValues(setting.images, place));
    case 'hub':
      return JSON.stringify(placedHub(setting.values, place));
  }
}

function placedHub(values: Record<string, string>, place: (image: string) => string): Record<string, string> {
  const suffix = `/x:${values['global-tag']}`;
  const hub = place(`${values['global-hub']}${suffix}`).slice(0, -suffix.length);
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      if (key === 'global-hub') return [key, hub];
      return [key, isHubPart(key) || isHubName(value) ? value : place(value)];
    }),
  );
}

function isHubPart(key: string): boolean {
  return key === 'global-hub' || key === 'global-tag';
}

/** A bare name such as `proxyv2` is completed with hub and tag; anything more is a reference of its own. */
function isHubName(value: string): boolean {
  return /^[a-z0-9._-]+$/.test(value);
}

function hubImage(values: Record<string, string>, value: string): string {
  return isHubName(value) ? `${values['global-hub']}/${value}:${values['global-tag']}` : value;
}

/** YAML inside a YAML string, blamed on the string. @returns undefined when it is empty */
function nested<T>({ text, position }: GivenValue, shape: z.ZodType<T>): T | undefined {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw inputError(position, `its text is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  if (value === null || value === undefined) return undefined;
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw inputError(position, [...(issue?.path ?? []), issue?.message ?? 'does not fit'].join(': '));
}

function mapValues(record: Record<string, string>, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function textOf(value: string | number | boolean | null | undefined): string {
  return value === undefined || value === null ? '' : String(value).trim();
}

function filled(value: string | null | undefined): value is string {
  return value !== undefined && value !== null && value !== '';
}
