import { readFile } from 'node:fs/promises';
import { imageName } from '../../core/bootstrap/provider-deployment.ts';
import { fileLayer } from '../helpers/content.ts';
import { generateImage, type GeneratedImage } from '../helpers/images.ts';
import { requireTool } from '../helpers/paths.ts';

/** Images of the lab's release that hold the real program, and where; those of others stay made up, since programs are large. */
const programs: Record<string, { tool: string; path: string }> = {
  etcd: { tool: 'etcd', path: 'usr/local/bin/etcd' },
  'cluster-api-controller': { tool: 'capi-core', path: 'manager' },
  'eks-anywhere-cli-tools': { tool: 'clusterctl', path: 'eks-a-tools/bin/clusterctl' },
};

/** Makes them. @returns what `serveRelease` asks: the image of a reference, undefined for any other */
export async function programImages(): Promise<(uri: string) => GeneratedImage | undefined> {
  const images = new Map<string, GeneratedImage>();
  for (const [name, { tool, path }] of Object.entries(programs)) {
    const bytes = await readFile(await requireTool(tool));
    const layer = fileLayer('application/vnd.oci.image.layer.v1.tar+gzip', [{ path, bytes, executable: true }]);
    const platforms = [process.arch === 'x64' ? 'linux/amd64' : `linux/${process.arch}`];
    images.set(name, generateImage({ seed: name, layers: [200, layer], entrypoint: `/${path}`, platforms }));
  }
  return (uri) => images.get(imageName(uri));
}
