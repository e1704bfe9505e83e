import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { BillItem } from '../../../contracts/bill-of-materials.ts';
import type { GeneratedFile, NodeConfigRequest } from '../../../contracts/source-plugin.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { destinationOf } from '../../../core/oci/rewrite.ts';
import { makeCharm } from '../../../test/helpers/charms.ts';
import { memoryContext } from '../../../test/contract/memory-context.ts';
import { charmedKubeflow } from './index.ts';
import { retag, type Registry } from './retag.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;
const site: Registry = { host: 'registry.site:5000', prefix: '', plainHttp: false, map: {} };

describe('retagging', () => {
  it.each([
    // upstream keeps the host of a reference with two parts, and makes an invalid tag of tag and digest
    ['quay.io/x:1', 'registry.site:5000/x:1'],
    [`a/b:1@${digest}`, 'registry.site:5000/a/b:1'],
    [`h.test/a/b@${digest}`, `registry.site:5000/a/b:${'a'.repeat(64)}`],
    ['ubuntu:22.04', 'registry.site:5000/library/ubuntu:22.04'],
    ['argoproj/argocli:v3', 'registry.site:5000/argoproj/argocli:v3'],
    ['gcr.io/a/b/c', 'registry.site:5000/a/b/c:latest'],
  ])('%s', (image, wanted) => {
    expect(retag(image, site)).toBe(wanted);
  });

  it('agrees with the import, with a prefix and with a map', () => {
    const registry = { ...site, prefix: 'edge/one', map: { 'gcr.io': 'google' } };
    for (const image of ['gcr.io/a/b:1', 'quay.io/x:1', `h.test/a@${digest}`, 'busybox']) {
      const destination = destinationOf(parseReference(image), { namespace: registry.prefix, map: registry.map });
      expect(retag(image, registry)).toBe(`${registry.host}/${destination}`);
    }
    expect(retag('gcr.io/a/b:1', registry)).toBe('registry.site:5000/google/a/b:1');
  });
});

const gate = makeCharm({
  name: 'istio-gateway',
  options: { 'proxy-image': 'mesh.test/mesh/proxy:1.2', gateway_service_type: 'LoadBalancer' },
});
const pilot = makeCharm({
  name: 'istio-pilot',
  options: {
    'image-configuration': "pilot-image: 'pilot'\nglobal-tag: '1.2'\nglobal-hub: 'mesh.test/mesh'\ninit: 'busybox:1'\n",
  },
});
const studio = makeCharm({
  name: 'studio',
  resources: { 'oci-image': 'studio/web:1.10' },
  options: { 'book-images': "['h.test/book:1']", custom_images: 'agent: h.test/agent:1' },
});
const inputs: Record<string, string | Uint8Array> = {
  '/in/bundle.yaml': [
    'bundle: kubernetes',
    'name: flow',
    'applications:',
    '  ingress: {charm: istio-gateway, channel: 1/stable, options: {kind: ingress}}',
    '  pilot: {charm: istio-pilot, channel: 1/stable}',
    '  studio: {charm: studio, channel: 1/stable}',
    '',
  ].join('\n'),
  '/in/istio-gateway_r1.charm': gate,
  '/in/istio-pilot_r1.charm': pilot,
  '/in/studio_r1.charm': studio,
};

/** A request as the command makes it from a bundle that was exported from `documents`. */
async function requestFor(documents: Record<string, string | Uint8Array>, options: Record<string, string[]> = {}) {
  const selection = { source: 'charmed-kubeflow', files: Object.keys(documents), kubeVersions: [], providers: [] };
  const contents = await charmedKubeflow.list({ ...selection, options }, memoryContext(documents));
  const line = { digest, size: 1, source: 'charmed-kubeflow', origin: '' };
  const items: BillItem[] = [
    ...contents.items.map((item) => ({ ...item, ...line, destination: 'any/where:1' })),
    ...contents.documents.map(({ title, destination }) => {
      return { kind: 'document' as const, name: title, reference: destination, destination, ...line };
    }),
  ];
  const request: NodeConfigRequest = {
    images: contents.items.filter(({ kind }) => kind === 'image').map(({ reference }) => reference),
    billOfMaterials: { schemaVersion: 1, sources: [], platforms: [], items, skipped: [] },
    registry: site,
    options: {},
  };
  const context = memoryContext(Object.fromEntries(contents.documents.map((one) => [one.destination, one.content])));
  return { request, context };
}

async function generate(request: NodeConfigRequest, context: ReturnType<typeof memoryContext>) {
  const files = await charmedKubeflow.nodeConfig!.generate(request, context);
  return { files, text: (path: string): string => textOf(files, path) };
}

function textOf(files: GeneratedFile[], path: string): string {
  const found = files.find((file) => file.path === path);
  if (found === undefined || !('content' in found)) throw new Error(`${path} was not generated with content`);
  return found.content;
}

describe('the generated deployment', () => {
  it('lays local charms and private images over the bundle', async () => {
    const { request, context } = await requestFor(inputs);
    const { files, text } = await generate(request, context);
    expect(parse(text('overlay-airgap.yaml'))).toEqual({
      applications: {
        ingress: {
          charm: './charms/istio-gateway_r1.charm',
          options: { 'proxy-image': 'registry.site:5000/mesh/proxy:1.2' },
        },
        pilot: {
          charm: './charms/istio-pilot_r1.charm',
          options: {
            'image-configuration': JSON.stringify({
              'global-hub': 'registry.site:5000/mesh',
              'global-tag': '1.2',
              init: 'registry.site:5000/library/busybox:1',
              'pilot-image': 'pilot',
            }),
          },
        },
        studio: {
          charm: './charms/studio_r1.charm',
          options: {
            'book-images': '["registry.site:5000/book:1"]',
            custom_images: '{"agent":"registry.site:5000/agent:1"}',
          },
          resources: { 'oci-image': 'registry.site:5000/studio/web:1.10' },
        },
      },
    });
    expect(files.map(({ path }) => path)).toEqual([
      'bundle.yaml',
      'caas-image-repo.json',
      'charms/istio-gateway_r1.charm',
      'charms/istio-pilot_r1.charm',
      'charms/studio_r1.charm',
      'deploy.sh',
      'images.txt',
      'overlay-airgap.yaml',
      'retagged-images.txt',
    ]);
    expect(files.find(({ path }) => path === 'charms/studio_r1.charm')).toEqual({
      path: 'charms/studio_r1.charm',
      file: 'file:///in/studio_r1.charm',
    });
    expect(text('bundle.yaml')).toBe(inputs['/in/bundle.yaml']);
  });

  it('lists images and where they are now, line by line', async () => {
    const { request, context } = await requestFor(inputs);
    const { text } = await generate(request, context);
    const retagged = text('images.txt').replace(/.+/g, (image) => retag(image, site));
    expect(text('retagged-images.txt')).toBe(retagged);
    expect(text('retagged-images.txt')).toMatch(/^(registry\.site:5000\/\S+\n)+$/);
  });

  it('names the repository of Juju itself below prefix and map, as JSON that knows the scheme', async () => {
    const { request, context } = await requestFor(inputs);
    const { text } = await generate({ ...request, registry: { ...site, prefix: 'edge' } }, context);
    expect(JSON.parse(text('caas-image-repo.json'))).toEqual({
      serveraddress: 'https://registry.site:5000',
      repository: 'registry.site:5000/edge/jujusolutions',
    });
  });

  it('sets how the gateway is reached, on request', async () => {
    const { request, context } = await requestFor(inputs);
    const { text } = await generate({ ...request, options: { 'gateway-service-type': ['NodePort'] } }, context);
    const { applications } = parse(text('overlay-airgap.yaml')) as {
      applications: Record<string, { options: object }>;
    };
    expect(applications['ingress']?.options).toMatchObject({ gateway_service_type: 'NodePort' });
    const wrong = generate({ ...request, options: { 'gateway-service-type': ['Ingress'] } }, context);
    await expect(wrong).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('is refused with everything that would come from outside', async () => {
    const bundle = `${String(inputs['/in/bundle.yaml'])}  stray:\n    charm: stray\n  own:\n    charm: studio\n    options: {note: 'see other.test/x/y:1'}\n    resources: {notes: 'busybox:1'}\n`;
    const { request, context } = await requestFor({ ...inputs, '/in/bundle.yaml': bundle });
    await expect(generate(request, context)).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        message: expect.stringContaining(
          'stray: charm stray; own: options.note other.test/x/y:1; own: resources.notes busybox:1',
        ),
      },
    });
  });

  it('says which images were left out of the bundle, and that a controller is needed', async () => {
    const { request, context } = await requestFor(inputs);
    await generate({ ...request, images: request.images.filter((image) => image !== 'studio/web:1.10') }, context);
    expect(context.warnings).toEqual([
      expect.stringContaining('does not hold (skipped?): studio/web:1.10'),
      expect.stringContaining('no images of a Juju controller'),
    ]);
  });

  it('is refused without a registry, and from a bundle of something else', async () => {
    const { request, context } = await requestFor(inputs);
    const { registry: _, ...without } = request;
    await expect(generate(without, context)).rejects.toMatchObject({ problem: { subject: '--registry' } });
    const empty = { ...request.billOfMaterials!, items: [] };
    await expect(generate({ ...request, billOfMaterials: empty }, context)).rejects.toMatchObject({
      problem: { subject: '--input' },
    });
  });
});

// Juju itself cannot run here: it needs a Kubernetes cluster, and its controller is not to be had. What the script asks of it can be seen.
describe('deploy.sh', () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-deploy-'));
    const extra = { '/in/juju-controller_r9.charm': makeCharm({ name: 'juju-controller' }) };
    const { request, context } = await requestFor({ ...inputs, ...extra }, { 'juju-version': ['3.6.11'] });
    const { text } = await generate(request, context);
    expect(context.warnings).toEqual([]);
    for (const name of ['deploy.sh', 'caas-image-repo.json']) await writeFile(at(name), text(name));
    const known = `case "$1" in
      --version) echo "\${JUJU_VERSION:-3.6.11-genericlinux-amd64}" ;;
      show-*) grep -q "^\${1#show-} \$2 made" "$0.log" ;;
      bootstrap) echo "controller $3 made" >>"$0.log" ;;
      add-model) echo "model $4:$2 made" >>"$0.log" ;;
    esac`;
    await writeFile(at('juju'), `#!/bin/sh\nprintf '%s\\n' "$*" >>"$0.log"\n${known}\n`);
    await Promise.all([chmod(at('deploy.sh'), 0o755), chmod(at('juju'), 0o755)]);
  });

  afterAll(() => rm(folder, { recursive: true }));

  async function deploy(args: string[], env: Record<string, string> = {}): Promise<string[]> {
    await promisify(execFile)(at('deploy.sh'), args, { env: { PATH: `${folder}:/usr/bin:/bin`, ...env } });
    return (await readFile(at('juju.log'), 'utf8')).split('\n').filter((line) => !/^(show|--version)|^$/.test(line));
  }

  it('asks for a cloud, and for the Juju whose images were carried', async () => {
    await expect(deploy([])).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('usage') });
    const other = deploy(['metal'], { JUJU_VERSION: '3.4.0-genericlinux-amd64' });
    await expect(other).rejects.toMatchObject({ code: 3, stderr: expect.stringContaining('3.6.11') });
  });

  it('bootstraps, adds the model and deploys; run again it only deploys', async () => {
    const repository = (await readFile(at('caas-image-repo.json'), 'utf8')).trim().split('\n');
    const first = [
      `bootstrap metal airgap --config caas-image-repo=${repository[0]}`,
      ...repository.slice(1, -1),
      `${repository.at(-1)} --controller-charm-path ./charms/juju-controller_r9.charm`,
      'controller airgap made',
      'add-model kubeflow --controller airgap',
      'model airgap:kubeflow made',
    ];
    const bundle = 'deploy --model airgap:kubeflow ./bundle.yaml --overlay ./overlay-airgap.yaml --trust';
    expect(await deploy(['metal'])).toEqual([...first, bundle]);
    expect(await deploy(['metal'])).toEqual([...first, bundle, bundle]);
  });
});
