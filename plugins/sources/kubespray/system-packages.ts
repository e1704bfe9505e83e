import type { SourceSelection } from '../../../contracts/source-plugin.ts';
import { parseYamlDocuments, readShape } from '../../../core/sources/yaml-documents.ts';
import { optionError, optionValue } from './options.ts';
import { systemPackagesShape } from './schema.ts';

/** What Ansible finds out about a node. */
type Facts = Readonly<Record<string, string>>;

const releases: Readonly<Record<string, readonly [distribution: string, version: string]>> = {
  bullseye: ['Debian', '11'],
  bookworm: ['Debian', '12'],
  trixie: ['Debian', '13'],
  focal: ['Ubuntu', '20'],
  jammy: ['Ubuntu', '22'],
  noble: ['Ubuntu', '24'],
};

/**
 * The Debian packages that Kubespray's system_packages.yml asks for on the nodes of `deb-release`, sorted. A condition that
 * hangs on a cluster's settings counts as holding: a package too many costs less than one that is missing.
 * @throws SealiftError InvalidInput
 */
export function systemPackages(file: string, bytes: Uint8Array, selection: SourceSelection): string[] {
  const facts = factsOf(selection);
  const names = parseYamlDocuments(file, bytes).flatMap((document) => {
    const { pkgs } = readShape(document, systemPackagesShape);
    return Object.entries(pkgs).filter(([, conditions]) => !conditions.some((text) => holds(text, facts) === false));
  });
  return [...new Set(names.map(([name]) => name))].sort();
}

function factsOf(selection: SourceSelection): Facts {
  const release = optionValue(selection, 'deb-release');
  const known = `use one of ${Object.keys(releases).join(', ')}, or name the packages with deb-packages`;
  if (release === undefined) throw optionError(selection, 'deb-release', 'is needed for system_packages.yml', known);
  const found = Object.hasOwn(releases, release) ? releases[release] : undefined;
  if (found === undefined) throw optionError(selection, 'deb-release', `"${release}" is not known`, known);
  const [distribution, version] = found;
  return {
    ansible_os_family: 'Debian',
    ansible_distribution: distribution,
    ansible_distribution_major_version: version,
  };
}

/** Whether a condition holds as far as these facts can say; undefined when they cannot. */
function holds(template: string, facts: Facts): boolean | undefined {
  const text = template.replace(/^\s*\{\{|\}\}\s*$/g, '').trim();
  // a call is a term that these facts cannot decide; other brackets change how the terms belong together
  const flat = text.replace(/\w+\([^()]*\)/g, 'call');
  if (/[()]/.test(flat)) return undefined;
  const alternatives = flat.split(/\s+or\s+/).map((part) => {
    const terms = part.split(/\s+and\s+/).map((term) => termHolds(term.trim(), facts));
    return terms.includes(false) ? false : terms.includes(undefined) ? undefined : true;
  });
  return alternatives.includes(true) ? true : alternatives.includes(undefined) ? undefined : false;
}

const COMPARISON = /^(not\s+)?(\w+)\s*(==|!=|not\s+in|in)\s*('[^']*'|"[^"]*"|\[[^\]]*\])$/;

function termHolds(term: string, facts: Facts): boolean | undefined {
  const [, not, name = '', operator = '', literal = ''] = COMPARISON.exec(term) ?? [];
  const fact = Object.hasOwn(facts, name) ? facts[name] : undefined;
  if (fact === undefined) return undefined;
  const values = [...literal.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double);
  const same = values.includes(fact);
  const negated = (operator === '!=' || operator.startsWith('not')) !== (not !== undefined);
  return same !== negated;
}
