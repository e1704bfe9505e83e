import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import { inMemory } from './in-memory/index.ts';
import { tinkerbell } from './tinkerbell/index.ts';
import { vsphere } from './vsphere/index.ts';

/** Every infrastructure that clusters can run on; a folder that is not here is a red test. */
export const providers: readonly ProviderPlugin[] = [inMemory, tinkerbell, vsphere];
