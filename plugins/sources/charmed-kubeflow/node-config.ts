import type { BillItem, BillOfMaterials } from '../../../contracts/bill-of-materials.ts';
import type { GeneratedFile, NodeConfigRequest, SourceContext } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { readShape } from '../../../core/sources/yaml-documents.ts';
import { charmsArchive, imagesArchive } from './archives.ts';
import { onlyDocument } from './charm.ts';
import { deployScript } from './deploy-script.ts';
import { APPLICATIONS_REPOSITORY, BUNDLE_REPOSITORY } from './deployment.ts';
import { imagesOf } from './image-settings.ts';
import { JUJU_IMAGES } from './juju-images.ts';
import { refuseOutside } from './outside-check.ts';
import { CHARMS_FOLDER, overlayOf, overlayText, type ExtraOptions } from './overlay.ts';
import { retag, retagFolder, type Registry } from './retag.ts';
import { bundleShape, deploymentShape, type Deployment } from './schema.ts';

type Context = Pick<SourceContext, 'read' | 'warn'>;

const GATEWAY_OPTION = 'gateway-service-type';
const ARCHIVES_OPTION = 'archives';
const PLATFORM_OPTION = 'archive-platform';
const GATEWAY_TYPES = ['LoadBalancer', 'NodePort'];

/**
 * What a Juju client on the far side needs to deploy the bundle: overlay, charms, image lists and a script.
 * @throws SealiftError InvalidInput when there is no registry, the bundle holds no Charmed Kubeflow, or anything of the
 * deployment would be fetched from outside the registry
 */
export async function generateNodeConfig(request: NodeConfigRequest, context: Context): Promise<GeneratedFile[]> {
  const { registry, billOfMaterials, images } = request;
  if (registry === undefined)
    throw asked('--registry', 'the images need a registry', 'name it: --registry HOST[:PORT]');
  const lists: GeneratedFile[] = [
    { path: 'images.txt', content: lines(images) },
    { path: 'retagged-images.txt', content: lines(images.map((image) => retag(image, registry))) },
  ];
  const generated =
    billOfMaterials === undefined ? [] : await deploymentFiles(request, registry, billOfMaterials, context);
  if (billOfMaterials === undefined) {
    context.warn('only the image lists were made: overlay, charms and deploy script are made from a bundle (--input)');
  }
  return [...lists, ...generated].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function deploymentFiles(
  request: NodeConfigRequest,
  registry: Registry,
  bill: BillOfMaterials,
  context: Context,
): Promise<GeneratedFile[]> {
  const bundleBytes = await context.read(documentOf(bill, BUNDLE_REPOSITORY).reference);
  const bundle = readShape(onlyDocument('bundle.yaml', bundleBytes), bundleShape);
  const deployment = readShape(
    onlyDocument('applications.json', await context.read(documentOf(bill, APPLICATIONS_REPOSITORY).reference)),
    deploymentShape,
  );
  const carried = new Set(request.images);
  const place = (image: string): string => retag(image, registry);
  const overlay = overlayText(overlayOf(deployment, place, gatewayOptions(request, deployment, context)));
  refuseOutside(bundle, overlay, registry.host, carried);
  warnings(request, registry, deployment, context);
  const charms = charmsOf(deployment, bill);
  const controllerCharm = deployment.otherCharms.find(({ name }) => name === 'juju-controller');
  const script = deployScript({
    registryHost: registry.host,
    ...(deployment.jujuVersion === undefined ? {} : { jujuVersion: deployment.jujuVersion }),
    ...(controllerCharm === undefined ? {} : { controllerCharm: `${CHARMS_FOLDER}/${controllerCharm.file}` }),
  });
  return [
    { path: 'bundle.yaml', content: new TextDecoder().decode(bundleBytes) },
    { path: 'caas-image-repo.json', content: controllerImages(registry) },
    { path: 'deploy.sh', executable: true, content: script },
    { path: 'overlay-airgap.yaml', content: overlay },
    ...[...charms].map(([file, reference]) => ({ path: `${CHARMS_FOLDER}/${file}`, file: reference })),
    ...archives(request, charms, place),
  ];
}

function documentOf(bill: BillOfMaterials, repository: string): BillItem {
  const found = bill.items.filter(
    ({ kind, reference }) => kind === 'document' && reference.startsWith(`${repository}:`),
  );
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only;
  throw asked(
    '--input',
    only === undefined ? 'it holds no bundle of Charmed Kubeflow' : 'it holds several bundles of Charmed Kubeflow',
    'give a tar that was exported with --source charmed-kubeflow and one bundle.yaml',
  );
}

function gatewayOptions(request: NodeConfigRequest, deployment: Deployment, context: Context): ExtraOptions {
  const type = request.options[GATEWAY_OPTION]?.at(-1);
  if (type === undefined) return {};
  if (!GATEWAY_TYPES.includes(type)) {
    throw asked(`${GATEWAY_OPTION}=${type}`, 'there is no such type', `use one of: ${GATEWAY_TYPES.join(', ')}`);
  }
  const gateways = Object.entries(deployment.applications).filter(([, { charmName }]) => charmName === 'istio-gateway');
  if (gateways.length === 0) context.warn(`${GATEWAY_OPTION}: the bundle deploys no istio-gateway`);
  return Object.fromEntries(gateways.map(([name]) => [name, { gateway_service_type: type }]));
}

function warnings(request: NodeConfigRequest, registry: Registry, deployment: Deployment, context: Context): void {
  const carried = new Set(request.images.map((image) => retag(image, registry)));
  const absent = deployedImages(deployment).filter((image) => !carried.has(retag(image, registry)));
  if (absent.length > 0) {
    context.warn(
      `the deployment needs images that the bundle does not hold (skipped?): ${[...new Set(absent)].sort().join(', ')}`,
    );
  }
  if (deployment.fixedImages.length > 0) {
    context.warn(`nodes need registry mirrors for images that no option changes: ${deployment.fixedImages.join(', ')}`);
  }
  if (!request.images.some((image) => image.startsWith(`${JUJU_IMAGES}/jujud-operator:`))) {
    context.warn(
      'the bundle holds no images of a Juju controller: use one that runs, or export with --source-option juju-version=VERSION',
    );
  }
  if (registry.plainHttp) {
    context.warn('Juju asks for a registry that speaks HTTPS; with --plain-http only the nodes may be able to pull');
  }
}

function deployedImages({ applications }: Deployment): string[] {
  return Object.values(applications).flatMap(({ resources, settings }) => [
    ...Object.values(resources),
    ...settings.flatMap(imagesOf).map(({ image }) => image),
  ]);
}

/** What `juju bootstrap --config caas-image-repo=` takes when the registry is none that Juju knows. */
function controllerImages(registry: Registry): string {
  const scheme = registry.plainHttp ? 'http' : 'https';
  const repository = retagFolder(JUJU_IMAGES, registry);
  return `${JSON.stringify({ serveraddress: `${scheme}://${registry.host}`, repository }, undefined, 2)}\n`;
}

/** file name -> what the bill of materials calls it */
function charmsOf({ applications, otherCharms }: Deployment, bill: BillOfMaterials): Map<string, string> {
  const charms = [...Object.values(applications).flatMap(({ charm }) => charm ?? []), ...otherCharms];
  const carried = bill.items.filter((item) => item.package === 'charm').map(({ reference }) => reference);
  return new Map(
    charms.map(({ file }) => {
      const reference = carried.find((one) => decodeURIComponent(one.slice(one.lastIndexOf('/') + 1)) === file);
      if (reference !== undefined) return [file, reference];
      throw asked(
        '--input',
        `it lacks the charm ${file} (skipped?)`,
        'give a tar that was exported with all its charms',
      );
    }),
  );
}

function archives(
  { images, options }: NodeConfigRequest,
  charms: ReadonlyMap<string, string>,
  place: (image: string) => string,
): GeneratedFile[] {
  if (!(options[ARCHIVES_OPTION] ?? []).includes('yes')) return [];
  const platform = options[PLATFORM_OPTION]?.at(-1) ?? 'linux/amd64';
  return [charmsArchive(charms), imagesArchive(images, place, platform)];
}

function lines(words: readonly string[]): string {
  return [...new Set(words)].map((word) => `${word}\n`).join('');
}

function asked(subject: string, message: string, remedy: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'generate node-config',
    subject,
    message,
    remedy,
  });
}
