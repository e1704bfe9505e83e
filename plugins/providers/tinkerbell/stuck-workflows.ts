import type { KubernetesObject } from '../../../contracts/cluster-spec.ts';
import type { StuckInfrastructure } from '../../../contracts/provider-plugin.ts';

interface Workflow extends KubernetesObject {
  status?: {
    state?: string;
    conditions?: { type: string; status: string; message?: string }[];
    tasks?: { actions?: { name: string; state: string; message?: string }[] }[];
  };
}

const ENDED_BADLY = ['FAILED', 'TIMEOUT'];

/** A workflow that failed is not tried again by Cluster API's provider (0.7.0), which waits for it; it has its Machine's name. */
export const stuckWorkflows: StuckInfrastructure = {
  kind: { apiVersion: 'tinkerbell.org/v1alpha1', kind: 'Workflow' },
  find(machines, objects) {
    const going = new Set(machines.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(nameOf));
    const failed = (objects as readonly Workflow[])
      .filter((workflow) => going.has(nameOf(workflow)))
      .find(({ status }) => ENDED_BADLY.includes(status?.state ?? ''));
    if (failed === undefined) return undefined;
    const name = nameOf(failed);
    return {
      subject: `Workflow ${name}`,
      message: `Tinkerbell could not install the machine, and does not try again: ${reasonOf(failed)}`,
      remedy:
        `mend what it names, then have the machine made anew: \`kubectl delete machines.cluster.x-k8s.io -n ${failed.metadata.namespace} ${name}\` ` +
        'on the management cluster releases its hardware; then retry',
    };
  },
};

function nameOf({ metadata }: KubernetesObject): string {
  return metadata.name;
}

function reasonOf({ status }: Workflow): string {
  const action = status?.tasks
    ?.flatMap(({ actions }) => actions ?? [])
    .find(({ state }) => ENDED_BADLY.includes(state));
  if (action !== undefined) return `action "${action.name}" ${said(action.state.toLowerCase(), action.message)}`;
  const condition = status?.conditions?.find(({ type, status: met }) => type.endsWith('Failed') && met === 'True');
  if (condition !== undefined) return said(condition.type, condition.message);
  return `it is ${status?.state}`;
}

function said(what: string, message = ''): string {
  return message === '' ? what : `${what}: ${message}`;
}
