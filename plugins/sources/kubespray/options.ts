import { isAbsolute } from 'node:path';
import type { SourceOption, SourceSelection } from '../../../contracts/source-plugin.ts';
import { selectionError } from '../../../core/sources/selection.ts';

/** What `--source-option` takes. Values may be repeated or separated by commas where several make sense. */
export const kubesprayOptions = [
  { name: 'checkout', path: true, summary: 'a Kubespray checkout (folder): its lists are rendered with Ansible' },
  { name: 'inventory', path: true, summary: 'the inventory whose variables count when the checkout is rendered' },
  { name: 'arch', summary: 'architectures to render and to take OS packages for, e.g. amd64,arm64 (default amd64)' },
  {
    name: 'venv',
    path: true,
    summary: 'the Python virtual environment that has ansible-playbook and pip (default: those on PATH)',
  },
  { name: 'helm-charts', summary: 'URLs of Helm chart archives (.tgz)' },
  { name: 'deb-packages', summary: 'Debian packages to carry with everything they depend on' },
  { name: 'deb-release', summary: 'code name of the nodes, e.g. bookworm: decides what system_packages.yml asks for' },
  { name: 'deb-sources', path: true, summary: 'apt sources (sources.list or deb822) to resolve the packages from' },
  { name: 'deb-keys', path: true, summary: 'the keyring that signs these sources' },
  { name: 'python-version', summary: 'Python versions to take wheels for, e.g. 3.11,3.12' },
  { name: 'python-platform', summary: 'wheel platforms, e.g. manylinux_2_28_x86_64 (default manylinux, x86_64)' },
  { name: 'pip-index', summary: 'the index that pip asks (default: what pip is configured to)' },
] as const satisfies readonly SourceOption[];

type OptionName = (typeof kubesprayOptions)[number]['name'];

/** Everything an option was given: repeated, or separated by commas; without duplicates, in the order given. */
export function optionValues(selection: SourceSelection, name: OptionName): string[] {
  const values = (selection.options?.[name] ?? []).flatMap((value) => value.split(','));
  return [...new Set(values.map((value) => value.trim()).filter((value) => value !== ''))];
}

/** @throws SealiftError InvalidInput when it was given more than once */
export function optionValue(selection: SourceSelection, name: OptionName): string | undefined {
  const values = [...new Set(selection.options?.[name] ?? [])];
  if (values.length > 1) throw optionError(selection, name, 'can be given only once', 'choose one');
  return values[0];
}

/**
 * An option that is a path: absolute, as the worker that reads it runs in another folder than the command.
 * @throws SealiftError InvalidInput
 */
export function pathOption(selection: SourceSelection, name: OptionName): string | undefined {
  const path = optionValue(selection, name);
  if (path === undefined || isAbsolute(path)) return path;
  throw optionError(selection, name, `"${path}" is not an absolute path`, 'write the whole path, from /');
}

/** An InvalidInput about one option. Returned, not thrown. */
export function optionError(selection: SourceSelection, name: OptionName, message: string, remedy: string): Error {
  return selectionError(selection, `--source-option ${name} ${message}`, remedy);
}
