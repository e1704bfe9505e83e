import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { vsphere } from './index.ts';
import { changedTemplate } from './testing.ts';

/** Of the provider's component manifest, where clusterctl puts the variables in (cluster-api-provider-vsphere, config/base/credentials.yaml). */
const manifest = "username: '${VSPHERE_USERNAME}'\npassword: '${VSPHERE_PASSWORD}'\n";

it.each(['it\'s & "so" $5 # \\n: {\'}', 'plain'])(
  'brings the password %s through the component manifest',
  (password) => {
    const { spec } = changedTemplate(() => undefined);
    const env = { EKSA_VSPHERE_USERNAME: "o'brien@vsphere.local", EKSA_VSPHERE_PASSWORD: password };
    const { env: variables } = vsphere.capi(spec!, { env });
    const filled = manifest.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => variables[name]!);
    expect(parse(filled)).toEqual({ username: "o'brien@vsphere.local", password });
  },
);
