import { describe, expect, it } from 'vitest';
import type { ProviderPlugin } from '../../contracts/provider-plugin.ts';
import type { UpgradePlan } from '../../contracts/upgrade-plan.ts';
import { changedSpec, type ExampleSpec } from './spec/testing.ts';
import { planRollout, upgradeSteps } from './upgrade-plan.ts';
import { isChanged } from './upgrade.ts';

type Change = (example: ExampleSpec) => void;

const provider = { upgradePlan: upgradeSteps } as Partial<ProviderPlugin> as ProviderPlugin;
const nothing: Change = () => undefined;
const same = { from: 'v1.31.4', to: 'v1.31.4' };

function planned(change: Change, versions = same): Pick<UpgradePlan, 'rolls' | 'scales'> {
  return planRollout(provider, [changedSpec(nothing), changedSpec(change)], versions);
}

describe('a plan', () => {
  it('replaces nothing where nothing changes', () => {
    expect(planned(nothing)).toEqual({ rolls: [], scales: [] });
  });

  it('replaces everything for a newer patch release of the bundle, the control plane first', () => {
    const reason = 'Kubernetes v1.31.4 to v1.31.9';
    expect(planned(nothing, { from: 'v1.31.4', to: 'v1.31.9' }).rolls).toEqual([
      { subject: 'control plane', reason, machines: 3 },
      { subject: 'worker group md-0', reason, machines: 2 },
    ]);
  });

  it('replaces the machines whose template changed, and tells why', () => {
    const { rolls, scales } = planned(({ others, cluster }) => {
      others[1]!['spec'] = { size: 4 };
      cluster.spec.workerNodeGroupConfigurations![0]!.labels = { disk: 'fast' };
    });
    expect(rolls.map(({ subject, reason }) => `${subject}: ${reason}`)).toEqual([
      'control plane: machine changed',
      'worker group md-0: taints or labels changed',
    ]);
    expect(scales).toEqual([]);
  });

  it('replaces workers that have a version of their own when that changes, and not with the control plane', () => {
    const own = changedSpec(({ cluster }) => {
      cluster.spec.workerNodeGroupConfigurations![0]!.kubernetesVersion = '1.31';
    });
    const upgraded = changedSpec(({ cluster }) => {
      cluster.spec.kubernetesVersion = '1.32';
      cluster.spec.workerNodeGroupConfigurations![0]!.kubernetesVersion = '1.31';
    });
    const versions = { from: 'v1.31.4', to: 'v1.32.1' };
    const told = ({ rolls }: Pick<UpgradePlan, 'rolls'>): string[] =>
      rolls.map((step) => `${step.subject}: ${step.reason}`);
    const controlPlane = 'control plane: Kubernetes v1.31.4 to v1.32.1';
    expect(told(planRollout(provider, [own, upgraded], versions))).toEqual([controlPlane]);
    expect(told(planRollout(provider, [changedSpec(nothing), upgraded], versions))).toEqual([controlPlane]);
    const all = changedSpec(({ cluster }) => {
      cluster.spec.kubernetesVersion = '1.32';
    });
    expect(told(planRollout(provider, [own, all], versions))).toEqual([
      controlPlane,
      'worker group md-0: Kubernetes 1.31 to 1.32',
    ]);
  });

  it('replaces whose kubelets or API servers are told something else', () => {
    const { rolls } = planned(({ cluster: { spec } }) => {
      spec.controlPlaneConfiguration.apiServerExtraArgs = { 'event-ttl': '2h' };
      spec.workerNodeGroupConfigurations![0]!.kubeletConfiguration = { maxPods: 50 };
    });
    expect(rolls.map(({ subject, reason }) => `${subject}: ${reason}`)).toEqual([
      'control plane: API server changed',
      'worker group md-0: kubelet changed',
    ]);
  });

  it('only counts where only numbers change, groups that come or go included', () => {
    const { rolls, scales } = planned(({ cluster }) => {
      cluster.spec.controlPlaneConfiguration.count = 5;
      cluster.spec.workerNodeGroupConfigurations = [
        { name: 'md-1', count: 4, machineGroupRef: { kind: 'ExampleMachineConfig', name: 'prod-md' } },
      ];
    });
    expect(rolls).toEqual([]);
    expect(scales).toEqual([
      { subject: 'control plane', from: 3, to: 5 },
      { subject: 'worker group md-1', from: 0, to: 4 },
      { subject: 'worker group md-0', from: 2, to: 0 },
    ]);
  });
});

describe('a specification', () => {
  it.each<[string, boolean, Change]>([
    ['nothing changed', false, nothing],
    ['its documents come in another order', false, ({ others }) => others.reverse()],
    ['it has an annotation more', false, ({ cluster }) => (cluster.metadata.annotations = { a: 'b' })],
    ['a number changed', true, ({ cluster }) => (cluster.spec.controlPlaneConfiguration.count = 1)],
    ['a machine changed', true, ({ others }) => (others[1]!['spec'] = { size: 4 })],
  ])('where %s is changed: %s', (_name, changed, change) => {
    expect(isChanged(changedSpec(nothing), changedSpec(change))).toBe(changed);
  });
});
