/** Which checksum a file has in Kubespray's checksums.yml. */
export interface Tool {
  /** `<tool>_checksums` */
  group: string;
  /** as Go names it, or `no_arch` */
  arch: string;
  /** without a leading v */
  version: string;
}

/**
 * How the path of a download ends, for each group of checksums.yml: `{version}` and `{arch}` as the file has them,
 * `{machine}` as the kernel names the architecture. The ends, because an inventory may name mirrors of the hosts.
 */
const downloads: Readonly<Record<string, readonly string[]>> = {
  crictl_checksums: ['/cri-tools/releases/download/v{version}/crictl-v{version}-linux-{arch}.tar.gz'],
  crio_archive_checksums: ['/cri-o/artifacts/cri-o.{arch}.v{version}.tar.gz'],
  kubelet_checksums: ['/release/v{version}/bin/linux/{arch}/kubelet'],
  kubectl_checksums: ['/release/v{version}/bin/linux/{arch}/kubectl'],
  kubeadm_checksums: ['/release/v{version}/bin/linux/{arch}/kubeadm'],
  etcd_binary_checksums: ['/etcd/releases/download/v{version}/etcd-v{version}-linux-{arch}.tar.gz'],
  cni_binary_checksums: ['/plugins/releases/download/v{version}/cni-plugins-linux-{arch}-v{version}.tgz'],
  calicoctl_binary_checksums: ['/calico/releases/download/v{version}/calicoctl-linux-{arch}'],
  calico_crds_checksums: ['/calico/raw/v{version}/manifests/crds.yaml'],
  ciliumcli_binary_checksums: ['/cilium-cli/releases/download/v{version}/cilium-linux-{arch}.tar.gz'],
  helm_archive_checksums: ['/helm-v{version}-linux-{arch}.tar.gz'],
  cri_dockerd_archive_checksums: ['/cri-dockerd/releases/download/v{version}/cri-dockerd-{version}.{arch}.tgz'],
  runc_checksums: ['/runc/releases/download/v{version}/runc.{arch}'],
  crun_checksums: ['/crun/releases/download/{version}/crun-{version}-linux-{arch}'],
  youki_checksums: ['/youki/releases/download/v{version}/youki-{version}-{machine}-gnu.tar.gz'],
  kata_containers_binary_checksums: [
    '/kata-containers/releases/download/{version}/kata-static-{version}-{arch}.tar.zst',
    '/kata-containers/releases/download/{version}/kata-static-{version}-{arch}.tar.xz',
  ],
  gvisor_runsc_binary_checksums: ['/gvisor/releases/release/{version}/{machine}/runsc'],
  gvisor_containerd_shim_binary_checksums: ['/gvisor/releases/release/{version}/{machine}/containerd-shim-runsc-v1'],
  nerdctl_archive_checksums: ['/nerdctl/releases/download/v{version}/nerdctl-{version}-linux-{arch}.tar.gz'],
  containerd_archive_checksums: ['/containerd/releases/download/v{version}/containerd-{version}-linux-{arch}.tar.gz'],
  containerd_static_archive_checksums: [
    '/containerd/releases/download/v{version}/containerd-static-{version}-linux-{arch}.tar.gz',
  ],
  skopeo_binary_checksums: ['/skopeo-binary/releases/download/v{version}/skopeo-linux-{arch}'],
  yq_checksums: ['/yq/releases/download/v{version}/yq_linux_{arch}'],
  gateway_api_standard_crds_checksums: ['/gateway-api/releases/download/v{version}/standard-install.yaml'],
  gateway_api_experimental_crds_checksums: ['/gateway-api/releases/download/v{version}/experimental-install.yaml'],
  prometheus_operator_crds_checksums: ['/prometheus-operator/releases/download/v{version}/stripped-down-crds.yaml'],
  argocd_install_checksums: ['/argo-cd/v{version}/manifests/install.yaml'],
};

const machines: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64', armv7l: 'arm' };

const patterns = Object.entries(downloads).flatMap(([group, ends]) =>
  ends.map((end) => ({ group, pattern: new RegExp(`${source(end)}$`) })),
);

/** The tool, version and architecture that a download URL names; undefined for one that fits no tool exactly. */
export function toolOf(url: string): Tool | undefined {
  const { pathname } = new URL(url);
  for (const { group, pattern } of patterns) {
    const found = pattern.exec(pathname)?.groups;
    if (found === undefined) continue;
    const { version = '', arch, machine } = found;
    return { group, version, arch: arch ?? (machine === undefined ? 'no_arch' : (machines[machine] ?? machine)) };
  }
  return undefined;
}

// What occurs twice must be the same twice.
function source(end: string): string {
  const seen = new Set<string>();
  return end.replace(/\{(\w+)\}|[.]/g, (_, name: string | undefined) => {
    if (name === undefined) return '\\.';
    if (seen.has(name)) return `\\k<${name}>`;
    seen.add(name);
    return name === 'version' ? '(?<version>[0-9][0-9A-Za-z.+_-]*)' : `(?<${name}>[a-z0-9_]+)`;
  });
}
