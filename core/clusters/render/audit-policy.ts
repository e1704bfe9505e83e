const watchers = ['system:kube-proxy', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver'];
const reading = ['get', 'list', 'watch'];

/**
 * What API servers write down about themselves, unless a specification has a policy of its own: who did what to which object. What
 * programs of the control plane read all the time is left out, and so is the content of all that may be secret.
 * @see https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
 */
export const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version', '/openapi*', '/swagger*'] },
    { level: 'None', users: watchers, verbs: reading },
    { level: 'None', userGroups: ['system:nodes'], verbs: reading },
    {
      level: 'None',
      resources: [
        { group: 'coordination.k8s.io', resources: ['leases'] },
        { group: '', resources: ['events'] },
        { group: 'events.k8s.io', resources: ['events'] },
      ],
    },
    {
      level: 'Metadata',
      resources: [
        { group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] },
        { group: 'authentication.k8s.io', resources: ['tokenreviews'] },
      ],
    },
    // who may do what, and what was asked for in pods: with the request's own content
    {
      level: 'Request',
      verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
      resources: [
        { group: 'rbac.authorization.k8s.io' },
        { group: '', resources: ['pods/exec', 'pods/attach', 'pods/portforward', 'serviceaccounts'] },
      ],
    },
    { level: 'Metadata' },
  ],
};
