import { stringify } from 'yaml';
import type { ClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import { auditPolicy } from './audit-policy.ts';
import type { NodeFile } from './mirror.ts';

const AUDIT_POLICY = '/etc/kubernetes/audit-policy.yaml';
const AUDIT_LOG_FOLDER = '/var/log/kubernetes';
const PATCHES = '/etc/kubernetes/patches';
const KUBELET_PATCH = `${PATCHES}/kubeletconfiguration0+strategic.yaml`;

/** The kubelet's flags that would win over these fields of its configuration. */
const flagsOfFields: Record<string, string> = {
  'read-only-port': 'readOnlyPort',
  'anonymous-auth': 'authentication',
  'resolv-conf': 'resolvConf',
};

/** What a specification says of a control plane's own programs, in the words of kubeadm's ClusterConfiguration. */
export interface ControlPlaneSettings {
  apiServer: object;
  controllerManager: object;
  scheduler: object;
  files: NodeFile[];
}

/**
 * Flags of API server, controller manager and scheduler: audit log, OpenID Connect, the issuer of pods' tokens, flags of the
 * specification's own, the size of a node's block of addresses. Pure.
 * @param controllerManagerArguments those of the provider
 */
export function controlPlaneSettings(
  spec: ClusterSpec,
  controllerManagerArguments: Record<string, string> = {},
): ControlPlaneSettings {
  const { controlPlaneConfiguration, clusterNetwork } = spec.cluster.spec;
  const size = clusterNetwork.nodes?.cidrMaskSize;
  const volume = { readOnly: true, pathType: 'File' };
  return {
    apiServer: {
      extraArgs: flags(apiServerArguments(spec)),
      extraVolumes: [
        { name: 'audit-policy', hostPath: AUDIT_POLICY, mountPath: AUDIT_POLICY, ...volume },
        {
          ...{ name: 'audit-log-dir', hostPath: AUDIT_LOG_FOLDER, mountPath: AUDIT_LOG_FOLDER },
          ...{ readOnly: false, pathType: 'DirectoryOrCreate' },
        },
      ],
    },
    controllerManager: {
      extraArgs: flags({
        ...controllerManagerArguments,
        profiling: 'false',
        ...(size === undefined ? {} : { 'node-cidr-mask-size': String(size) }),
      }),
    },
    scheduler: { extraArgs: flags({ profiling: 'false' }) },
    files: [
      {
        ...{ path: AUDIT_POLICY, owner: 'root:root', permissions: '0644' },
        content: controlPlaneConfiguration.auditPolicyContent ?? stringify(auditPolicy),
      },
    ],
  };
}

function apiServerArguments(spec: ClusterSpec): Record<string, string> {
  const { controlPlaneConfiguration, podIamConfig } = spec.cluster.spec;
  const own = controlPlaneConfiguration.apiServerExtraArgs ?? {};
  // the first issuer is in new tokens, those after it are still accepted
  const issuers = [own['service-account-issuer'], podIamConfig?.serviceAccountIssuer].filter(
    (issuer) => issuer !== undefined && issuer !== '',
  );
  return {
    'audit-policy-file': AUDIT_POLICY,
    'audit-log-path': `${AUDIT_LOG_FOLDER}/api-audit.log`,
    'audit-log-maxage': '30',
    'audit-log-maxbackup': '10',
    'audit-log-maxsize': '512',
    profiling: 'false',
    ...oidcArguments(spec),
    ...own,
    ...(issuers.length === 0 ? {} : { 'service-account-issuer': issuers.join(',') }),
  };
}

interface OidcSpec {
  clientId: string;
  issuerUrl: string;
  groupsClaim?: string;
  groupsPrefix?: string;
  usernameClaim?: string;
  usernamePrefix?: string;
  requiredClaims?: { claim?: string; value?: string }[];
}

/** A cluster refers to one OIDCConfig at most; the flags are Kubernetes'. */
function oidcArguments({ cluster, others }: ClusterSpec): Record<string, string> {
  const referred = cluster.spec.identityProviderRefs?.find(({ kind }) => kind === 'OIDCConfig');
  const found = others.find(({ kind, metadata }) => kind === 'OIDCConfig' && metadata.name === referred?.name);
  if (found === undefined) return {};
  const { spec } = found as unknown as SpecObject<OidcSpec>;
  const claim = spec.requiredClaims?.[0];
  const all = {
    'oidc-client-id': spec.clientId,
    'oidc-issuer-url': spec.issuerUrl,
    'oidc-groups-claim': spec.groupsClaim,
    'oidc-groups-prefix': spec.groupsPrefix,
    'oidc-username-claim': spec.usernameClaim,
    'oidc-username-prefix': spec.usernamePrefix,
    'oidc-required-claim': claim?.claim === undefined ? undefined : `${claim.claim}=${claim.value ?? ''}`,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

/** What a specification says of the kubelets of one role. */
export interface KubeletSettings {
  /** names of flags without the dashes, and their values */
  arguments: Record<string, string>;
  files: NodeFile[];
  /** for init and join */
  patches: { patches?: { directory: string } };
}

/**
 * A KubeletConfiguration is given to kubeadm as a patch; flags that would win over what it says are left out. Pure.
 * @param provided flags of the provider
 */
export function kubeletSettings(
  spec: ClusterSpec,
  configuration: Record<string, unknown> | undefined,
  provided: Record<string, string>,
): KubeletSettings {
  const resolver = spec.cluster.spec.clusterNetwork.dns?.resolvConf?.path;
  const wanted = { ...provided, ...(resolver === undefined ? {} : { 'resolv-conf': resolver }) };
  if (configuration === undefined) return { arguments: wanted, files: [], patches: {} };
  const kept = Object.entries(wanted).filter(([flag]) => !Object.hasOwn(configuration, flagsOfFields[flag] ?? ''));
  const content = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...configuration };
  return {
    arguments: Object.fromEntries(kept),
    files: [{ path: KUBELET_PATCH, owner: 'root:root', permissions: '0644', content: stringify(content) }],
    patches: { patches: { directory: PATCHES } },
  };
}

/** As CAPI's v1beta2 has them. */
export function flags(all: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(all).map(([name, value]) => ({ name, value }));
}
