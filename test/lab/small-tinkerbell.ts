import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StackChart, StackRelease } from '../../core/clusters/stack-release.ts';
import { generateChartArchive } from '../helpers/images.ts';
import { projectRoot } from '../helpers/paths.ts';

// Charts with what matters of Tinkerbell's to who installs them: the names of their values and objects.

/** Templates of the services' chart, of one version or another: the later has no `leftover` any more. */
export function smallTinkerbellTemplates(version: string): Record<string, string> {
  const leftover = configMap('leftover', 'of: the first');
  return {
    'deployment.yaml': deployment,
    'kube-vip.yaml': kubeVip,
    'settings.yaml': configMap('settings', 'boots: {{ .Values.deployment.envs.smee.ipxeHttpScriptOsieURL }}'),
    'test.yaml': podOfTest,
    ...(version.startsWith('0.1.') ? { 'leftover.yaml': leftover } : {}),
  };
}

/** What a release would say of them, some of its charts left out. */
export function smallStack(charts: StackRelease['charts'], version = '0.1.0'): StackRelease {
  return {
    charts,
    parts: {
      images: {
        services: `origin.test/tinkerbell/tinkerbell:v${version}`,
        interface: 'origin.test/tinkerbell/relay-init:v1',
        loadBalancer: 'origin.test/kube-vip/kube-vip:v1',
      },
      installer: { files: 'https://origin.test/hook', iso: 'https://origin.test/hook/hook.iso' },
    },
  };
}

/** A chart of Tinkerbell's own definitions, as `make setup` leaves them (tools/tinkerbell/definitions.sh). */
export async function definitionsChart(): Promise<StackChart> {
  const root = join(projectRoot, '.cache', 'tinkerbell');
  const version = (await readdir(root).catch(() => [])).find((name) => name.startsWith('v'));
  if (version === undefined) throw new Error(`there is nothing in ${root}: run \`make setup\``);
  const text = await readFile(join(root, version, 'definitions.yaml'), 'utf8');
  // what Tinkerbell fills in itself is said in descriptions
  const templates = { 'definitions.yaml': text.replaceAll('{{', '{{ "{{" }}') };
  const archive = generateChartArchive({ name: 'tinkerbell-crds', version: version.slice(1), templates });
  return { archive, version: version.slice(1) };
}

function configMap(name: string, line: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
  namespace: {{ .Release.Namespace }}
data:
  ${line}
`;
}

const podOfTest = `apiVersion: v1
kind: Pod
metadata:
  name: tinkerbell-test
  namespace: {{ .Release.Namespace }}
  annotations: {helm.sh/hook: test}
spec:
  containers: [{name: test, image: busybox}]
`;

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Values.name }}
  namespace: {{ .Release.Namespace }}
spec:
  replicas: 1
  selector:
    matchLabels: {app: tinkerbell}
  template:
    metadata:
      labels: {app: tinkerbell}
    spec:
      hostNetwork: {{ .Values.deployment.hostNetwork }}
      {{- if .Values.deployment.init.enabled }}
      initContainers:
        - name: interface
          image: {{ .Values.deployment.init.image }}
      {{- end }}
      containers:
        - name: tinkerbell
          image: {{ .Values.deployment.image }}:{{ .Values.deployment.imageTag }}
          env:
            - {name: TINKERBELL_PUBLIC_IPV4, value: {{ .Values.publicIP | quote }}}
`;

const kubeVip = `{{- if .Values.optional.kubevip.enabled }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: kube-vip
  namespace: {{ .Release.Namespace }}
spec:
  selector:
    matchLabels: {app: kube-vip}
  template:
    metadata:
      labels: {app: kube-vip}
    spec:
      containers:
        - name: kube-vip
          image: {{ .Values.optional.kubevip.image }}
{{- end }}
`;
