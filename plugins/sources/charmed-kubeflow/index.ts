import type { SourcePlugin } from '../../../contracts/source-plugin.ts';

/** Charmed Kubeflow: its Juju bundle, the charms that it deploys, and every image that those name. */
export const charmedKubeflow: SourcePlugin = {
  name: 'charmed-kubeflow',
  summary:
    'Charmed Kubeflow: a Juju bundle, its charms (.charm files or a folder of them), lists and archives of images',
  folders: true,
  selections: [],
  options: [
    { name: 'juju-download', summary: 'yes: fetch charms that are not given with `juju download`' },
    { name: 'extra-charm', summary: 'NAME[@CHANNEL]: a charm outside the bundle that juju-download fetches too' },
    { name: 'renamed-for', summary: 'HOST[:PORT][/PREFIX] that the images in images.tar.gz are named after' },
    { name: 'juju-version', summary: "MAJOR.MINOR.PATCH: carry the images of this Juju's controller too" },
  ],
  nodeConfig: {
    summary: 'overlay bundle, charms, image lists and a deploy script for the Juju client of the far side',
    modes: [],
    options: [
      { name: 'gateway-service-type', summary: 'NodePort or LoadBalancer (default): how the Istio gateway is reached' },
      {
        name: 'archives',
        summary: "yes: images.tar.gz and charms.tar.gz too, for `docker load` and upstream's own scripts",
      },
      { name: 'archive-platform', summary: 'OS/ARCH of the images in images.tar.gz; linux/amd64 when not given' },
    ],
    async generate(request, context) {
      const { generateNodeConfig } = await import('./node-config.ts');
      return generateNodeConfig(request, context);
    },
  },
  recognises,
  async list(selection, context) {
    // YAML and schema code is loaded when it is needed: to know this source's name and files takes none of it.
    const { listCharmedKubeflow } = await import('./list.ts');
    return listCharmedKubeflow(charmedKubeflow, selection, context);
  },
};

/** The local file header that a zip begins with (APPNOTE 4.3.7). */
const ZIP_MAGIC = 'PK\u0003\u0004';

function recognises(content: string): boolean {
  return isKubernetesBundle(content) || (content.startsWith(ZIP_MAGIC) && content.includes('metadata.yaml'));
}

function isKubernetesBundle(content: string): boolean {
  return /^bundle:\s*["']?kubernetes["']?\s*$/m.test(content) && /^applications:/m.test(content);
}
