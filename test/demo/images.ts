import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileLayer, type GeneratedLayer } from '../helpers/content.ts';
import {
  generateArtifact,
  generateChart,
  generateImage,
  generateReferrersTag,
  generateTagAttachment,
  type GeneratedImage,
} from '../helpers/images.ts';
import { projectRoot, requireTool } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';

/** What the demo's source registry holds. */
export interface DemoSource {
  /** `host/repository:tag`, as they stand in the list of images; the repository is the path in the registry */
  references: string[];
  /** in an order in which nothing is named before it is there; without a tag it is reached by its digest */
  pushes: { repository: string; tag: string | undefined; image: GeneratedImage }[];
  /** what has to be on the far side under the same tag with the same digest */
  tags: { repository: string; tag: string; digest: string }[];
  /** bytes of all blobs, each once */
  bytes: number;
}

/** a host that exists nowhere: `--pull-from` says where it is read from */
export const originHost = 'registry.example';
export const demoChart = { repository: 'charts/hello', tag: '1.0.0' };
/** the image that is pulled back and run, and that something is attached to */
export const demoTool = {
  repository: 'tools/crane',
  tag: 'demo',
  executable: 'usr/bin/crane',
  attachedType: 'application/vnd.go.buildinfo',
};

const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
const toolNames = ['registry', 'helm', 'crane', 'oras', 'regctl'];

/**
 * Images of programs that `make setup` has built, over one shared base layer; an image for two platforms; a Helm chart; and
 * attached to one image a bill of its Go modules (an OCI 1.1 referrer) and something in the place of a signature.
 */
export async function demoSource(): Promise<DemoSource> {
  const base = fileLayer(layerType, await baseFiles());
  const tools = await Promise.all(toolNames.map((name) => toolImage(name, base)));
  const crane = tools[toolNames.indexOf('crane')]!;
  const modules = await goModules('crane', crane);
  const signature = generateTagAttachment(crane.root.digest, 'sig');
  const referrers = generateReferrersTag(crane.root.digest, [{ image: modules, artifactType: demoTool.attachedType }]);
  const listed = [
    ...tools.map((image, position) => ({ repository: `tools/${toolNames[position]!}`, tag: demoTool.tag, image })),
    { repository: 'docs/sealift', tag: demoTool.tag, image: await documentsImage() },
    { ...demoChart, image: generateChart({ name: 'hello', version: demoChart.tag }) },
  ];
  const { repository } = demoTool;
  const signed = { repository, tag: signature.tag, image: signature.image };
  const pushes = [
    ...listed,
    { repository, tag: undefined, image: modules },
    { repository, tag: referrers.tag, image: referrers.image },
    signed,
  ];
  const blobs = new Map(pushes.flatMap(({ image }) => image.blobs).map(({ digest, size }) => [digest, size]));
  return {
    references: listed.map((image) => `${originHost}/${image.repository}:${image.tag}`),
    pushes,
    tags: [...listed, signed].map(({ image, ...place }) => ({ ...place, digest: image.root.digest })),
    bytes: [...blobs.values()].reduce((sum, size) => sum + size, 0),
  };
}

/** What every image has below its program: the certificate authorities of this machine, where it has any. */
async function baseFiles(): Promise<{ path: string; bytes: Uint8Array }[]> {
  const paths = ['etc/os-release', 'etc/ssl/certs/ca-certificates.crt'];
  const read = paths.map(async (path) => {
    const bytes = await readFile(`/${path}`).catch(() => undefined);
    return bytes === undefined ? [] : [{ path, bytes }];
  });
  return (await Promise.all(read)).flat();
}

async function toolImage(name: string, base: GeneratedLayer): Promise<GeneratedImage> {
  const bytes = await readFile(await requireTool(name));
  const layer = fileLayer(layerType, [{ path: `usr/bin/${name}`, bytes, executable: true }]);
  return generateImage({ seed: name, layers: [base, layer], entrypoint: `/usr/bin/${name}`, platforms: [platform()] });
}

/** Text is the same everywhere, so this one is honestly for two platforms. */
async function documentsImage(): Promise<GeneratedImage> {
  const names = ['README.md', 'docs/model.md', 'docs/errors.md'];
  const files = names.map(async (path) => ({ path, bytes: await readFile(join(projectRoot, path)) }));
  const layer = fileLayer(layerType, await Promise.all(files));
  return generateImage({ seed: 'documents', layers: [layer], platforms: ['linux/amd64', 'linux/arm64'] });
}

async function goModules(name: string, image: GeneratedImage): Promise<GeneratedImage> {
  const text = await runOk('go', ['version', '-m', await requireTool(name)]);
  return generateArtifact({
    artifactType: demoTool.attachedType,
    files: [{ title: `${name}.modules.txt`, mediaType: 'text/plain', bytes: Buffer.from(text) }],
    subject: image.root,
  });
}

function platform(): string {
  return `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;
}
