import type { SourcePlugin } from '../../../contracts/source-plugin.ts';
import { looksLikeAssertions, looksLikeImages, looksLikeSnap } from './schema.ts';

/** Canonical Kubernetes: the k8s snap, its base and assertions, and the images that the snap lists. */
export const canonicalK8s: SourcePlugin = {
  name: 'canonical-k8s',
  summary: 'Canonical Kubernetes: the k8s snap with its assertions, and the images of `k8s list-images`',
  selections: [],
  options: [
    { name: 'snap', summary: 'download this snap, and its base, with `snap download`; repeatable (k8s)' },
    { name: 'channel', summary: 'the channel to download from, e.g. 1.36-classic/stable' },
    { name: 'folder', summary: 'take every .snap, .assert and .txt file of this folder; repeatable', path: true },
  ],
  nodeConfig: {
    summary: 'what a node of Canonical Kubernetes needs: containerd configuration, images, snaps, and install.sh',
    modes: ['proxy', 'mirror', 'sideload'],
    options: [
      { name: 'https-proxy', summary: 'proxy: the URL of the proxy for HTTPS' },
      { name: 'http-proxy', summary: 'proxy: the URL of the proxy for HTTP; that for HTTPS when not given' },
      {
        name: 'no-proxy',
        summary: 'proxy: hosts and networks to reach directly; the documented networks when not given',
      },
      { name: 'containerd-base-dir', summary: 'where the containerd of the snap has its folders; / when not given' },
      { name: 'auth-header', summary: 'mirror: a file with the Authorization header for the registry', path: true },
      { name: 'platform', summary: 'sideload: the platform to take of images that have several, e.g. linux/amd64' },
    ],
    async generate(request, context) {
      const { generateNodeConfig } = await import('./node-config.ts');
      return generateNodeConfig(request, context);
    },
  },
  recognises: (content) => looksLikeSnap(content) || looksLikeAssertions(content) || looksLikeImages(content),
  async list(selection, context) {
    const { listCanonicalK8s } = await import('./list.ts');
    return listCanonicalK8s(canonicalK8s, selection, context);
  },
};
