/** What a deploy script is made for. */
export interface DeployScript {
  registryHost: string;
  /** of the Juju controller whose images are in the registry */
  jujuVersion?: string;
  /** path of the controller's own charm, relative to the script */
  controllerCharm?: string;
}

/** `deploy.sh`: a Juju controller that needs nothing but the private registry, a model, and the bundle with its overlay. */
export function deployScript({ registryHost, jujuVersion, controllerCharm }: DeployScript): string {
  const charm = controllerCharm === undefined ? '' : ` \\\n    --controller-charm-path './${controllerCharm}'`;
  return `#!/usr/bin/env bash
# Deploys the bundle beside this script from local charms and images of ${registryHost}. What is there already is left alone,
# so it can be run again. The cluster must be known to Juju: juju add-k8s CLOUD.
set -euo pipefail
cd "$(dirname "$0")"

cloud=\${1:-}
controller=\${2:-airgap}
model=\${3:-kubeflow}
if [ -z "$cloud" ]; then
  echo 'usage: ./deploy.sh CLOUD [CONTROLLER] [MODEL]' >&2
  exit 2
fi
if ! command -v juju >/dev/null; then
  echo 'deploy: juju is not installed: snap ack and snap install the files of the juju snap' >&2
  exit 3
fi
${versionCheck(jujuVersion)}
if ! juju show-controller "$controller" >/dev/null 2>&1; then
  juju bootstrap "$cloud" "$controller" \\
    --config caas-image-repo="$(cat caas-image-repo.json)"${charm}
fi
if ! juju show-model "$controller:$model" >/dev/null 2>&1; then
  juju add-model "$model" --controller "$controller"
fi
juju deploy --model "$controller:$model" ./bundle.yaml --overlay ./overlay-airgap.yaml --trust
`;
}

function versionCheck(jujuVersion: string | undefined): string {
  if (jujuVersion === undefined) return '';
  return `case "$(juju --version)" in
  ${jujuVersion} | ${jujuVersion}-*) ;;
  *)
    echo "deploy: the registry has the controller images of Juju ${jujuVersion}, this is $(juju --version)" >&2
    exit 3
    ;;
esac
`;
}
