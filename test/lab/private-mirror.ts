import { readFile } from 'node:fs/promises';
import { generateCertificates } from '../helpers/certificates.ts';
import { temporaryFolder } from '../helpers/paths.ts';
import { startRegistry, type RegistryCredentials, type TestRegistry } from '../helpers/registry.ts';
import type { SpecificationChange } from './cluster-ground.ts';

/** Where the mirror has what comes from whom. */
const namespaces = { 'public.ecr.aws': 'mirror/ecr', 'registry.k8s.io': 'mirror/k8s' };

/** A registry that nodes pull everything from: TLS of an authority of its own, a password, namespaces of its own. */
export interface PrivateMirror extends AsyncDisposable {
  registry: TestRegistry;
  /** option that clusters are made with out of it alone */
  from: string[];
  /** option that its certificate is believed with */
  trust: string[];
  /** options of an import into it, beside those */
  into: string[];
  /** What makes it the mirror of a specification's cluster. */
  change: SpecificationChange;
}

/** Starts it, empty. */
export async function startPrivateMirror(credentials: RegistryCredentials): Promise<PrivateMirror> {
  const folder = await temporaryFolder('private-mirror');
  const tls = await generateCertificates(folder.path);
  const registry = await startRegistry({ kind: 'distribution', tls, htpasswd: credentials, accessLog: true });
  const ca = (await readFile(tls.ca, 'utf8')).trim().replaceAll('\n', '\n      ');
  const mapped = Object.entries(namespaces).map(
    ([origin, namespace]) => `\n      - registry: ${origin}\n        namespace: ${namespace}`,
  );
  const configuration = `registryMirrorConfiguration:
    endpoint: 127.0.0.1
    port: "${registry.port}"
    authenticate: true
    ociNamespaces:${mapped.join('')}
    caCertContent: |
      ${ca}
  datacenterRef:`;
  return {
    registry,
    from: ['--registry', `${registry.host}/mirror`],
    trust: ['--ca-file', tls.ca],
    into: Object.entries(namespaces).flatMap((pair) => ['--map', pair.join('=')]),
    change: ['datacenterRef:', configuration],
    async [Symbol.asyncDispose]() {
      await registry.stop();
      await folder.remove();
    },
  };
}
