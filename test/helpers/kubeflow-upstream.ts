import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { makeCharm, type CharmContent } from './charms.ts';
import { randomBuffer } from './content.ts';
import { generateImage } from './images.ts';
import { projectRoot, samplesFolder } from './paths.ts';
import { createPusher } from './push.ts';

/** The released bundle of the shared samples; the plugin's small fixture, with a word about it, where that is absent. */
export async function kubeflowBundle(): Promise<{ text: string; real: boolean }> {
  const sample = join(samplesFolder, 'charmed-kubeflow', 'bundle-1.10.yaml');
  if (existsSync(sample)) return { text: await readFile(sample, 'utf8'), real: true };
  console.warn(`${sample} is not on this machine: the plugin's own small bundle stands in for it`);
  const fixture = join(projectRoot, 'plugins/sources/charmed-kubeflow/fixtures/valid/bundle.yaml');
  return { text: await readFile(fixture, 'utf8'), real: false };
}

const registries = ['docker.io/charmedkubeflow', 'ghcr.io/example', 'gcr.io/example/deep'];

/** Charms whose images are not all in their metadata, as the released ones of these names keep them. */
const particular: Record<string, Omit<CharmContent, 'name'>> = {
  'kubeflow-roles': {},
  'istio-gateway': {
    options: { 'proxy-image': 'docker.io/istio/proxyv2:1.24.2', gateway_service_type: 'LoadBalancer', kind: '' },
  },
  'istio-pilot': {
    options: {
      'image-configuration':
        "pilot-image: 'pilot'\nglobal-tag: '1.24.2'\nglobal-hub: 'docker.io/istio'\nglobal-proxy-image: 'proxyv2'\ngrpc-bootstrap-init: 'busybox:1.28'\n",
    },
  },
  'jupyter-ui': {
    resources: { 'oci-image': 'charmedkubeflow/jupyter-web-app:1.10' },
    options: { 'jupyter-images': '' },
    files: {
      'src/default-jupyter-images.yaml': '- charmedkubeflow/jupyter-scipy:1.10\n- ghcr.io/example/full:v1.10\n',
    },
  },
  'kserve-controller': {
    resources: { 'kserve-controller-image': 'docker.io/charmedkubeflow/kserve-controller:0.14' },
    options: { custom_images: "agent: ''\nrouter: ''\n" },
    files: {
      'src/default-custom-images.json':
        '{"agent": "docker.io/charmedkubeflow/kserve-agent:0.14", "router": "nvcr.io/example/router:0.14"}',
    },
  },
};

/** A charm for every application of a bundle, in a folder. @returns how many */
export async function writeCharms(bundleYaml: string, folder: string): Promise<number> {
  const { applications } = parse(bundleYaml) as { applications: Record<string, { charm: string }> };
  const names = [...new Set(Object.values(applications).map(({ charm }) => charm))].sort();
  await mkdir(folder);
  for (const [index, name] of names.entries()) {
    const usual: Omit<CharmContent, 'name'> = {
      resources: { 'oci-image': `${registries[index % registries.length]!}/${name}:1.${index}` },
    };
    const files = { 'src/charm.bin': randomBuffer(name, 2_000).toString('base64') };
    const own = particular[name] ?? usual;
    const charm = makeCharm({ name, base: '22.04', ...own, files: { ...files, ...own.files } });
    await writeFile(join(folder, `${name}_r${100 + index}.charm`), charm);
  }
  return names.length;
}

/** Generates an image at each reference below a registry that stands in for all of their hosts. @returns root digests by reference */
export async function pushImages(references: string[], registryUrl: string): Promise<Map<string, string>> {
  const pusher = await createPusher({ url: registryUrl });
  const digests = new Map<string, string>();
  for (const [index, reference] of references.entries()) {
    const { repository, tag } = locationOf(reference);
    const image = generateImage({ seed: reference, layers: [{ seed: 'base', size: 60_000 }, 1_000 + 4_000 * index] });
    await pusher.push(repository, tag, image);
    digests.set(reference, image.root.digest);
  }
  await pusher.close();
  return digests;
}

/** The host, and where the import puts it, worked out apart from Sealift's own rule. */
export function locationOf(reference: string): { host: string; repository: string; tag: string } {
  const [first = '', ...rest] = reference.split('/');
  const hosted = rest.length > 0 && /[.:]/.test(first);
  const host = hosted ? first : 'docker.io';
  const path = hosted ? rest.join('/') : reference;
  const [repository = '', tag = 'latest'] = (
    host === 'docker.io' && !path.includes('/') ? `library/${path}` : path
  ).split(':');
  return { host, repository, tag };
}
