import { canonicalJson } from '../canonical-json.ts';
import type { Bundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { hexOf } from '../oci/digest.ts';
import { filesOf, type BundleFile } from './bundle-files.ts';
import { readRequiresPython } from './python-metadata.ts';
import { TreeBuilder } from './tree-builder.ts';
import type { FileTree } from './tree.ts';

/** A wheel or source archive as an index names it. */
interface Distribution {
  file: BundleFile;
  project: string;
  version: string;
  /** the Pythons it is for, as it says itself */
  requiresPython?: string;
}

/**
 * A Python package index: `simple/` with one page a project (PEP 503) and the same as `index.json` (PEP 691), the archives
 * in `packages/`. Clients take `simple/` as their index URL, of a server or as a file: URL. A distribution's `Requires-Python` is in
 * both; one that can't be read is a warning, and the file is offered all the same.
 *
 * @throws SealiftError BundleCorrupt
 */
export async function pythonTree(bundle: Bundle): Promise<FileTree> {
  const tree = new TreeBuilder();
  const projects = new Map<string, Distribution[]>();
  const names = new Map<string, BundleFile>();
  for (const file of await filesOf(bundle, (item) => item.package === 'python')) {
    const { name, item, blob } = file;
    const distribution = distributionOf(file);
    const other = names.get(name);
    if (distribution === undefined)
      tree.warnings.push(`${item.reference}: left out, its name is no wheel's or sdist's`);
    else if (other !== undefined) {
      // The name is all that clients choose by: of two files under one name only one can be offered.
      if (other.blob.digest === blob.digest) continue;
      tree.warnings.push(`${item.reference}: left out, ${other.item.reference} has the same name and other content`);
    } else if (tree.addBlob(`packages/${name}`, blob, item.reference) !== undefined) {
      names.set(name, file);
      const known = projects.get(distribution.project) ?? [];
      projects.set(distribution.project, [...known, await withRequirement(distribution, bundle, tree.warnings)]);
    }
  }
  const sorted = [...projects].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [project, distributions] of sorted) addProject(tree, project, distributions);
  const list = sorted.map(([name]) => ({ name }));
  const links = list.map(({ name }) => ({ href: `${name}/`, text: name }));
  tree.addBytes('simple/index.html', page('Simple index', links));
  tree.addBytes('simple/index.json', canonicalJson({ meta, projects: list }));
  return tree.build();
}

/** A project's name as indexes compare it (PEP 503, "Normalized Names"). */
export function normalizedProject(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

const meta = { 'api-version': '1.1' };

async function withRequirement(distribution: Distribution, bundle: Bundle, warnings: string[]): Promise<Distribution> {
  const { name, blob, item } = distribution.file;
  try {
    const requiresPython = await readRequiresPython({ name, size: blob.size }, (start, length) =>
      bundle.readPart(blob.digest, start, length),
    );
    return requiresPython === undefined ? distribution : { ...distribution, requiresPython };
  } catch (error) {
    if (error instanceof SealiftError || !(error instanceof Error)) throw error;
    warnings.push(`${item.reference}: for which Python it is can't be read: ${error.message}`);
    return distribution;
  }
}

function addProject(tree: TreeBuilder, project: string, distributions: Distribution[]): void {
  const files = distributions
    .map(({ file: { name, blob }, requiresPython }) => ({
      filename: name,
      url: `../../packages/${encodeURIComponent(name)}`,
      hashes: { sha256: hexOf(blob.digest) },
      size: blob.size,
      ...(requiresPython === undefined ? {} : { 'requires-python': requiresPython }),
    }))
    .sort((a, b) => (a.filename < b.filename ? -1 : 1));
  const links = files.map(({ filename, url, hashes, 'requires-python': requiresPython }) => ({
    href: `${url}#sha256=${hashes.sha256}`,
    text: filename,
    ...(requiresPython === undefined ? {} : { requiresPython }),
  }));
  tree.addBytes(`simple/${project}/index.html`, page(`Links for ${project}`, links));
  const versions = [...new Set(distributions.map(({ version }) => version))].sort();
  tree.addBytes(`simple/${project}/index.json`, canonicalJson({ meta, name: project, versions, files }));
}

const WHEEL =
  /^([A-Za-z0-9._]+)-([A-Za-z0-9._!+]+)(?:-\d[A-Za-z0-9._]*)?-[A-Za-z0-9._]+-[A-Za-z0-9._]+-[A-Za-z0-9._]+\.whl$/;
const SDIST = /^([A-Za-z0-9][A-Za-z0-9._-]*)-(\d[A-Za-z0-9._!+]*)\.(?:tar\.gz|tar\.bz2|tgz|zip)$/;

/** Wheel names as in the binary distribution format, sdist names as in PEP 625 and before it. */
function distributionOf(file: BundleFile): Distribution | undefined {
  const [, name, version] = WHEEL.exec(file.name) ?? SDIST.exec(file.name) ?? [];
  if (name === undefined || version === undefined) return undefined;
  return { file, project: normalizedProject(name), version };
}

interface Link {
  href: string;
  text: string;
  requiresPython?: string;
}

function page(title: string, links: readonly Link[]): string {
  const anchors = links.map(({ href, text, requiresPython }) => {
    const requirement = requiresPython === undefined ? '' : ` data-requires-python="${escapeHtml(requiresPython)}"`;
    return `    <a href="${escapeHtml(href)}"${requirement}>${escapeHtml(text)}</a><br/>\n`;
  });
  return [
    '<!DOCTYPE html>\n<html>\n  <head>\n    <meta charset="utf-8">\n',
    '    <meta name="pypi:repository-version" content="1.1">\n',
    `    <title>${escapeHtml(title)}</title>\n  </head>\n  <body>\n`,
    ...anchors,
    '  </body>\n</html>\n',
  ].join('');
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
