import type { NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { requestError } from '../../../core/node-config/request-error.ts';

/** Options that have a meaning in one mode only. */
const modeOf: Readonly<Record<string, string>> = {
  'https-proxy': 'proxy',
  'http-proxy': 'proxy',
  'no-proxy': 'proxy',
  'auth-header': 'mirror',
  platform: 'sideload',
};

/** @throws SealiftError InvalidInput for an option that the mode would have to ignore */
export function refuseForeignOptions({ mode, options }: NodeConfigRequest): void {
  for (const name of Object.keys(options)) {
    const wanted = modeOf[name];
    if (wanted === undefined || wanted === mode) continue;
    throw requestError(`--option ${name}`, `it is for mode ${wanted}, this is ${mode}`, 'leave it out');
  }
}

/** The value of an option that may be given once. @throws SealiftError InvalidInput */
export function oneOption({ options }: NodeConfigRequest, name: string): string | undefined {
  const values = options[name] ?? [];
  if (values.length <= 1) return values[0];
  throw requestError(`--option ${name}`, 'it is given several times', 'give it once');
}
