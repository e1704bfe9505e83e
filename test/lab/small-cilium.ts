// A chart with what matters of Cilium's to who installs it: the names of its values and objects, and an object for `helm test`.

const registry = 'public.ecr.aws/eks/cilium';

/** Where a release says that its Cilium is. @param version e.g. `1.19.4` */
export function smallCilium(version: string): { chart: string; agent: string; operator: string } {
  return {
    chart: `${registry}/cilium:${version}-1`,
    agent: `${registry}/cilium:v${version}-1`,
    operator: `${registry}/operator-generic:v${version}-1`,
  };
}

function workload(kind: string, name: string, image: string, more: string): string {
  return `apiVersion: apps/v1
kind: ${kind}
metadata:
  name: ${name}
  namespace: {{ .Release.Namespace }}
spec:
${more}  selector:
    matchLabels: {app: ${name}}
  template:
    metadata:
      labels: {app: ${name}}
    spec:
      hostNetwork: true
      containers:
        - name: ${name}
          image: "${image}"
`;
}

/** Its templates by their file names. */
export const smallCiliumTemplates: Record<string, string> = {
  'config.yaml': `apiVersion: v1
kind: ConfigMap
metadata:
  name: cilium-config
  namespace: {{ .Release.Namespace }}
data:
  enable-policy: {{ .Values.policyEnforcementMode | default "default" | quote }}
  routing-mode: {{ .Values.routingMode | quote }}
  upgrade-compatibility: {{ .Values.upgradeCompatibility | default "none" | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
`,
  'agent.yaml': workload('DaemonSet', 'cilium', '{{ .Values.image.repository }}:{{ .Values.image.tag }}', ''),
  'operator.yaml': workload(
    'Deployment',
    'cilium-operator',
    '{{ .Values.operator.image.repository }}-generic:{{ .Values.operator.image.tag }}',
    '  replicas: {{ .Values.operator.replicas | default 2 }}\n',
  ),
  'hook.yaml': `apiVersion: v1
kind: Pod
metadata:
  name: cilium-test
  namespace: {{ .Release.Namespace }}
  annotations: {helm.sh/hook: test}
spec:
  containers: [{name: test, image: busybox}]
`,
};
