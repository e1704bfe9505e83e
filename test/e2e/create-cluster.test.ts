import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inMemory } from '../../plugins/providers/in-memory/index.ts';
import { createSealiftHome, runSealift, type SealiftHome } from '../helpers/sealift.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';
import { serveClusterRelease } from '../lab/cluster-release.ts';
import { labUnavailable, startLab, type Lab } from '../lab/lab.ts';
import type { ManagementCluster } from '../lab/management-cluster.ts';

const unavailable = await labUnavailable();

describe.skipIf(unavailable !== undefined)(`create cluster ${unavailable ?? ''}`, () => {
  let lab: Lab;
  let temporal: TestTemporal;
  let home: SealiftHome;
  let management: ManagementCluster;
  let bundle: string;

  beforeAll(async () => {
    [lab, temporal] = await Promise.all([startLab(), startTemporal()]);
    home = await createSealiftHome({ ...temporal.env, IN_MEMORY_CLOUD: lab.cloud.socket });
    bundle = join(home.path, 'artifacts.tar');
    await using release = await serveClusterRelease();
    const exported = await runSealift(
      ['export', 'artifacts', '--source', 'eks-anywhere', '-f', release.manifest, '-o', bundle, ...release.pullFrom],
      { home },
    );
    expect(exported.stderr).not.toMatch(/remedy/);
    management = await lab.startManagementCluster('mgmt');
  }, 300_000);
  afterAll(async () => {
    await home?.remove();
    await lab?.stop();
    await temporal?.stop();
  });

  it('makes a workload cluster by a management cluster', async () => {
    const spec = join(home.path, 'one.yaml');
    await writeFile(
      spec,
      inMemory.specTemplate('one').replace(/managementCluster:\n    name: one/, 'managementCluster:\n    name: mgmt'),
    );
    const created = await runSealift(
      ['create', 'cluster', '-f', spec, '--kubeconfig', management.kubeconfig, '--bundle', bundle],
      { home },
    );
    console.log(created.stdout, created.stderr);
    expect(created.code).toBe(0);
  }, 300_000);

  it('makes a management cluster from nothing, which then owns itself', async () => {
    const spec = join(home.path, 'two.yaml');
    await writeFile(spec, inMemory.specTemplate('two'));
    await lab.expectManagementCluster({ namespace: 'eksa-system', name: 'two' });
    const created = await runSealift(['create', 'cluster', '-f', spec, '--bundle', bundle], { home });
    console.log(created.stdout, created.stderr);
    expect(created.code).toBe(0);
  }, 300_000);
});
