import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import { fieldName, readShape, type FieldPath } from '../../../core/sources/yaml-documents.ts';
import { blockItem, isAbsent, manifestItem } from './blocks.ts';
import type { Manifest } from './inputs.ts';
import { blockShape, type Bundles } from './schema.ts';
import { kubeVersion, ownerOf, wantsBlock, type Provider, type Wanted } from './selection.ts';

/** Takes what the walk finds. */
export interface Findings {
  add(item: SourceItem, position: InputPosition): void;
  warn(message: string): void;
}

/** An EKS-D release that a wanted Kubernetes version is built from. */
export interface EksDistroLink {
  name: string;
  manifestUrl: string;
  manifest: Manifest<Bundles>;
  path: FieldPath;
}

/** What the walk over one Bundles manifest came to. */
export interface Walked {
  links: EksDistroLink[];
  /** the providers that something was found for */
  providers: ReadonlySet<Provider>;
}

type Fields = Record<string, unknown>;

interface Walk {
  manifest: Manifest<Bundles>;
  wanted: Wanted;
  findings: Findings;
  providers: Set<Provider>;
  /** path of the versionsBundle, and its name in `foundAt` */
  root: FieldPath;
  rootName: string;
}

// Real manifests nest six deep; an alias that contains itself would nest for ever.
const MAX_DEPTH = 32;

/**
 * Finds every block of the wanted Kubernetes versions. Blocks are known by having a `uri`, wherever they stand, so that a
 * component that a newer release adds is carried without a change here; a URL outside a block is warned about.
 * @throws SealiftError InvalidInput naming file, line, column and path of the field
 */
export function walkBundles(manifest: Manifest<Bundles>, wanted: Wanted, findings: Findings): Walked {
  const providers = new Set<Provider>();
  const links: EksDistroLink[] = [];
  manifest.content.spec.versionsBundles.forEach((versionsBundle, index) => {
    const version = kubeVersion(versionsBundle.kubeVersion);
    if (wanted.kubeVersions !== undefined && !wanted.kubeVersions.has(version)) return;
    const root = ['spec', 'versionsBundles', index];
    const rootName = `versionsBundles[${version}]`;
    walkFields({ manifest, wanted, findings, providers, root, rootName }, [], versionsBundle);
    const { name, manifestUrl } = versionsBundle.eksD;
    links.push({ name, manifestUrl, manifest, path: [...root, 'eksD'] });
  });
  return { links, providers };
}

function walkFields(walk: Walk, path: FieldPath, fields: Fields): void {
  const { document } = walk.manifest;
  if (path.length > MAX_DEPTH) throw inputError(document.positionOf([...walk.root, ...path]), 'is nested too deeply');
  const isBlock = takeBlock(walk, path, fields);
  for (const [key, value] of Object.entries(fields)) {
    const below = [...path, key];
    if (isBlock && key === 'uri') continue;
    if (wantsBlock(walk.wanted, below)) walkValue(walk, below, value);
  }
}

function walkValue(walk: Walk, path: FieldPath, value: unknown): void {
  if (Array.isArray(value)) value.forEach((entry, index) => walkValue(walk, [...path, index], entry));
  else if (typeof value === 'object' && value !== null) walkFields(walk, path, value as Fields);
  else if (typeof value === 'string' && /^(https?|file):\/\/\S+$/.test(value)) takeBareUrl(walk, path, value);
}

function takeBlock(walk: Walk, path: FieldPath, fields: Fields): boolean {
  const hasUri = 'uri' in fields && fields['uri'] !== null;
  const isIdentified = ['imageDigest', 'sha256', 'sha512'].some((key) => key in fields);
  if (!hasUri && !isIdentified) return false;
  const at = [...walk.root, ...path];
  const { document } = walk.manifest;
  const block = readShape(document, blockShape, at);
  const item = blockItem(block, {
    foundAt: foundAt(walk, path),
    key: String(path.findLast((key) => typeof key === 'string') ?? ''),
    name: fieldName(path),
    positionOf: (field) => document.positionOf([...at, field]),
  });
  if (item === undefined) return true;
  walk.findings.add(item, document.positionOf([...at, 'uri']));
  const owner = ownerOf(path);
  if (owner !== undefined) walk.providers.add(owner);
  return true;
}

function takeBareUrl(walk: Walk, path: FieldPath, url: string): void {
  const field = fieldName(path);
  if (field === 'eksD.manifestUrl' || isAbsent(url)) return;
  const position = walk.manifest.document.positionOf([...walk.root, ...path]);
  if (field === 'eksD.components') walk.findings.add(manifestItem(url, foundAt(walk, path), position), position);
  else walk.findings.warn(`${position.file}:${position.line}: ${position.field} is a URL that Sealift does not carry`);
}

function foundAt(walk: Walk, path: FieldPath): string {
  return fieldName([walk.rootName, ...path]);
}
