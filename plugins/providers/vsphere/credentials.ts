import type { ClusterSpec, KubernetesObject } from '../../../contracts/cluster-spec.ts';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';
import { CLUSTER_NAME_LABEL, CLUSTER_NAMESPACE } from '../../../core/clusters/render/names.ts';
import { SealiftError } from '../../../core/errors.ts';
import { cloudProviderSecret } from './cloud-provider.ts';
import type { VCenterUser } from './vcenter.ts';

type Environment = ProviderContext['env'];

/** Where the user comes from, the first pair that is complete. */
const userVariables = [
  ['EKSA_VSPHERE_USERNAME', 'EKSA_VSPHERE_PASSWORD'],
  ['GOVC_USERNAME', 'GOVC_PASSWORD'],
] as const;
const cloudProviderVariables = ['EKSA_VSPHERE_CP_USERNAME', 'EKSA_VSPHERE_CP_PASSWORD'] as const;

export const credentialsRemedy =
  'set EKSA_VSPHERE_USERNAME and EKSA_VSPHERE_PASSWORD where the worker runs, as user@domain';

/** The user of vCenter that the environment names; undefined when it names none. */
export function findUser(env: Environment): VCenterUser | undefined {
  for (const pair of userVariables) {
    const user = userOf(env, pair);
    if (user !== undefined) return user;
  }
  return undefined;
}

/** Like findUser. @throws SealiftError ValidationFailed when the environment names none */
export function requireUser(env: Environment): VCenterUser {
  const user = findUser(env);
  if (user !== undefined) return user;
  throw new SealiftError('ValidationFailed', {
    side: 'local',
    operation: 'read credentials of vCenter',
    subject: userVariables[0].join(' and '),
    message: 'the worker has no user and password for vCenter',
    remedy: credentialsRemedy,
  });
}

/** Name of the Secret by which Cluster API logs in at vCenter for a cluster; as with EKS Anywhere. */
export function credentialsName({ name }: ClusterSpec): string {
  return `${name}-vsphere-credentials`;
}

/**
 * The Secrets of a cluster: the user of Cluster API's controllers, and the user of the cluster's own cloud provider, which is
 * the same one unless EKSA_VSPHERE_CP_USERNAME and EKSA_VSPHERE_CP_PASSWORD name another.
 * @throws SealiftError ValidationFailed when the environment names no user
 */
export function credentialSecrets(spec: ClusterSpec, env: Environment): KubernetesObject[] {
  const user = requireUser(env);
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: credentialsName(spec),
        namespace: CLUSTER_NAMESPACE,
        // the second label makes clusterctl's move take it along
        labels: { [CLUSTER_NAME_LABEL]: spec.name, 'clusterctl.cluster.x-k8s.io/move': '' },
      },
      type: 'kubernetes.io/basic-auth',
      stringData: { username: user.name, password: user.password },
    },
    cloudProviderSecret(spec, userOf(env, cloudProviderVariables) ?? user),
  ];
}

function userOf(
  env: Environment,
  [nameVariable, passwordVariable]: readonly [string, string],
): VCenterUser | undefined {
  const [name = '', password = ''] = [env[nameVariable], env[passwordVariable]];
  return name === '' || password === '' ? undefined : { name, password };
}
