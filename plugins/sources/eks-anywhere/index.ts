import type { SourcePlugin } from '../../../contracts/source-plugin.ts';

/** EKS Anywhere: a Bundles manifest, or the Release that leads to it, and the EKS Distro releases behind it. */
export const eksAnywhere: SourcePlugin = {
  name: 'eks-anywhere',
  summary: 'Amazon EKS Anywhere: Bundles or Release manifest, with the EKS Distro releases it is built from',
  selections: ['kubeVersions', 'providers', 'release'],
  recognises,
  async list(selection, context) {
    // YAML and schema code is loaded when it is needed: to know this source's name and files takes none of it.
    const { listEksAnywhere } = await import('./list.ts');
    return listEksAnywhere(eksAnywhere, selection, context);
  },
};

// Cluster specs share the API group, so the kind decides as well. Works for YAML and for JSON.
function recognises(content: string): boolean {
  return (
    /^[\s{]*"?apiVersion"?:\s*["']?(anywhere|distro)\.eks\.amazonaws\.com\//m.test(content) &&
    /^[\s{]*"?kind"?:\s*["']?(Bundles|Releases?)["']?[\s,]*$/m.test(content)
  );
}
