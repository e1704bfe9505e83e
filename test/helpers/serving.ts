import { join } from 'node:path';
import { startServer, type RunningServer, type ServerSettings } from '../../core/serve/server.ts';
import { openView } from '../../core/serve/view.ts';
import { randomBuffer } from './content.ts';
import { generateArtifact, generateChart, generateImage, generateTagAttachment } from './images.ts';
import { temporaryFolder } from './paths.ts';
import { writeBundle } from './write-bundle.ts';

const app = generateImage({ seed: 'app', layers: [1000, 700_000], platforms: ['linux/amd64', 'linux/arm64'] });

/** What the bundles of {@link createServing} hold. */
export const served = {
  app,
  /** the larger layer of app */
  layer: app.blobs.find(({ size }) => size > 700_000)!,
  web: generateImage({ seed: 'web', layers: [5000], format: 'docker' }),
  otherWeb: generateImage({ seed: 'other web', layers: [10] }),
  late: generateImage({ seed: 'late', layers: [10] }),
  sbom: generateArtifact({
    artifactType: 'application/spdx+json',
    files: [{ title: 'sbom.json', mediaType: 'application/spdx+json', bytes: Buffer.from('{}') }],
    subject: app.root,
  }),
  signature: generateTagAttachment(app.root.digest, 'sig'),
  chart: generateChart({ name: 'demo', version: '1.0.0' }),
  /** much more than the kernel buffers of a connection that nobody reads */
  kubectl: randomBuffer('kubectl', 16_000_000),
};

export interface TestServer extends RunningServer {
  warnings: string[];
  /** lines of the access log */
  log: Record<string, unknown>[];
}

export interface Serving extends AsyncDisposable {
  folder: string;
  /** images with what is attached, a chart, files */
  first: string;
  /** images, one of which wants a tag of the first */
  second: string;
  /** Serves the first bundle unless told otherwise. */
  start(settings?: Partial<ServerSettings> & { inputs?: string[] }): Promise<TestServer>;
  /** Breaks off and stops all servers. */
  stopAll(): Promise<void>;
}

/** Writes two bundles that servers in this process can serve. */
export async function createServing(): Promise<Serving> {
  const folder = await temporaryFolder('serve');
  const [first, second] = [join(folder.path, 'first.tar'), join(folder.path, 'second.tar')];
  const running: RunningServer[] = [];
  const stopAll = async (): Promise<void> => {
    await Promise.all(running.splice(0).map((server) => (server.breakOff(), server.stop())));
  };
  await writeBundles(first, second);
  return {
    folder: folder.path,
    first,
    second,
    async start({ inputs = [first], ...settings } = {}) {
      const view = await openView(inputs, { namespace: '', map: {} });
      const warnings = [...view.warnings];
      const log: Record<string, unknown>[] = [];
      const server = await startServer(view, {
        host: '127.0.0.1',
        port: 0,
        maxConnections: 100,
        warn: (message) => warnings.push(message),
        accessLog: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
        ...settings,
      });
      running.push(server);
      return { ...server, warnings, log };
    },
    stopAll,
    async [Symbol.asyncDispose]() {
      await stopAll();
      await folder.remove();
    },
  };
}

async function writeBundles(first: string, second: string): Promise<void> {
  const { web, chart, sbom, signature, otherWeb, late, kubectl } = served;
  const attached = [{ image: sbom }, { image: signature.image, tag: signature.tag }];
  await writeBundle(
    first,
    [
      { reference: 'registry.k8s.io/team/app:v1', image: app, attached },
      { reference: 'docker.io/library/web:1.25', image: web },
      { reference: 'quay.io/charts/demo:1.0.0', kind: 'chart', image: chart },
    ],
    [
      { url: 'https://dl.example/release/v1/kubectl', bytes: kubectl },
      { url: 'https://dl.example/release/v1/with%20space+plus', bytes: Buffer.from('spaced') },
      { url: 'https://dl.example/empty', bytes: Buffer.alloc(0) },
    ],
  );
  await writeBundle(second, [
    { reference: 'quay.io/library/web:1.25', image: otherWeb },
    { reference: 'quay.io/late/late:v2', image: late },
  ]);
}

/** The first error code of a registry's answer. */
export async function codeOf(response: Response): Promise<unknown> {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return errors[0]!.code;
}
