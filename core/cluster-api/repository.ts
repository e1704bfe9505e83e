import { join } from 'node:path';
import { isScalar, parseDocument, stringify, visit } from 'yaml';
import { SealiftError } from '../errors.ts';
import { writeFileAtomically } from '../host/atomic-file.ts';

/** As clusterctl names them in its configuration. */
export type ProviderType =
  | 'CoreProvider'
  | 'BootstrapProvider'
  | 'ControlPlaneProvider'
  | 'InfrastructureProvider'
  | 'IPAMProvider'
  | 'RuntimeExtensionProvider'
  | 'AddonProvider';

/** One provider as its release has it. */
export interface ProviderRelease {
  /** e.g. `kubeadm`, `vsphere` */
  name: string;
  type: ProviderType;
  /** e.g. `v1.14.0` */
  version: string;
  /** the components' manifest, with its variables */
  components: Uint8Array;
  /** metadata.yaml */
  metadata: Uint8Array;
}

/** none: two empty kinds stand in for it, where no webhook needs a certificate of its own from inside the cluster */
export type CertManager = 'none' | { version: string; manifest: Uint8Array };

export interface RepositoryContent {
  providers: readonly ProviderRelease[];
  certManager: CertManager;
  /** e.g. from `registry.k8s.io/a/b:v1` to `mirror.local:5000/a/b:v1` */
  rewriteImage(reference: string): string;
}

const kinds: Record<ProviderType, { prefix: string; file: string }> = {
  CoreProvider: { prefix: '', file: 'core-components.yaml' },
  BootstrapProvider: { prefix: 'bootstrap-', file: 'bootstrap-components.yaml' },
  ControlPlaneProvider: { prefix: 'control-plane-', file: 'control-plane-components.yaml' },
  InfrastructureProvider: { prefix: 'infrastructure-', file: 'infrastructure-components.yaml' },
  IPAMProvider: { prefix: 'ipam-', file: 'ipam-components.yaml' },
  RuntimeExtensionProvider: { prefix: 'runtime-extension-', file: 'runtime-extension-components.yaml' },
  AddonProvider: { prefix: 'addon-', file: 'addon-components.yaml' },
};

/** The provider's name everywhere on a cluster, e.g. `infrastructure-vsphere`. */
export function providerLabel({ name, type }: Pick<ProviderRelease, 'name' | 'type'>): string {
  return kinds[type].prefix + name;
}

/**
 * Writes a repository that clusterctl reads instead of the Internet (its documentation, "Repositories: local"):
 * `<folder>/<label>/<version>/<file>`, metadata.yaml beside it, and a clusterctl.yaml that leads there. May be repeated.
 * @param folder absolute
 * @returns path of clusterctl.yaml
 * @throws SealiftError InvalidInput when a manifest is not YAML; PathUnwritable, DiskFull
 */
export async function writeRepository(folder: string, content: RepositoryContent): Promise<string> {
  const providers: { name: string; type: ProviderType; url: string }[] = [];
  for (const release of content.providers) {
    const { name, type, version, metadata } = release;
    const place = join(folder, providerLabel(release), version);
    const url = join(place, kinds[type].file);
    await writeFileAtomically(url, rewriteImages(release.components, content.rewriteImage, `${name} ${version}`));
    await writeFileAtomically(join(place, 'metadata.yaml'), metadata);
    providers.push({ name, type, url });
  }
  const config = join(folder, 'clusterctl.yaml');
  const certManager = await writeCertManager(folder, content);
  await writeFileAtomically(config, stringify({ providers, 'cert-manager': certManager }));
  return config;
}

async function writeCertManager(
  folder: string,
  { certManager, rewriteImage }: RepositoryContent,
): Promise<{ url: string; version: string }> {
  const { version, manifest } =
    certManager === 'none'
      ? { version: 'v1.0.0', manifest: standInForCertManager() }
      : {
          version: certManager.version,
          manifest: rewriteImages(certManager.manifest, rewriteImage, `cert-manager ${certManager.version}`),
        };
  const url = join(folder, 'cert-manager', version, 'cert-manager.yaml');
  await writeFileAtomically(url, manifest);
  return { url, version };
}

const WORKLOAD = /^kind: *"?(?:Deployment|DaemonSet|StatefulSet|ReplicaSet|Job|CronJob|Pod)"? *$/m;

/** Only documents with containers are parsed: definitions are large, and their descriptions may look like anything. */
function rewriteImages(manifest: Uint8Array, rewriteImage: (reference: string) => string, subject: string): string {
  const documents = new TextDecoder().decode(manifest).split(/^---\s*$/m);
  return documents
    .map((text) => (WORKLOAD.test(text) ? withImages(text, rewriteImage, subject) : text))
    .map((text) => text.replace(/^\n+/, ''))
    .join('---\n');
}

function withImages(text: string, rewriteImage: (reference: string) => string, subject: string): string {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw unreadable(subject, error);
  visit(document, {
    Pair(_, { key, value }) {
      if (isScalar(key) && key.value === 'image' && isScalar(value) && typeof value.value === 'string') {
        value.value = rewriteImage(value.value);
      }
    },
  });
  return document.toString({ lineWidth: 0 });
}

function unreadable(subject: string, cause: Error): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'read component manifest',
    subject,
    message: cause.message,
    remedy: 'the manifest in the bundle is damaged or of an unknown form: export it again',
    cause,
  });
}

/**
 * cert-manager's kinds without cert-manager: clusterctl asks whether an Issuer and a Certificate can be created, and nothing
 * more. For clusters without nodes.
 */
export function standInForCertManager(): string {
  const definition = (kind: string, plural: string): object => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.cert-manager.io` },
    spec: {
      group: 'cert-manager.io',
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: anything } }],
    },
  });
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'cert-manager' } };
  return [namespace, definition('Issuer', 'issuers'), definition('Certificate', 'certificates')]
    .map((object) => stringify(object))
    .join('---\n');
}
