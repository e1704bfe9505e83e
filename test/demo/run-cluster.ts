import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { minorOf } from '../../core/clusters/spec/syntax.ts';
import { inMemory } from '../../plugins/providers/in-memory/index.ts';
import { projectRoot, removableFolder } from '../helpers/paths.ts';
import { runSealift, sealiftHomeIn, type SealiftHome } from '../helpers/sealift.ts';
import { byManagement, managedBy, ofVersion, writeSpecification } from '../lab/cluster-ground.ts';
import { labVersions, serveClusterRelease } from '../lab/cluster-release.ts';
import { labUnavailable, startLab, type Lab } from '../lab/lab.ts';
import { createStory, type Story } from './story.ts';

/** Where Cluster API's objects are on a management cluster. */
const namespace = 'eksa-system';

interface Demo {
  home: SealiftHome;
  story: Story;
  lab: Lab;
  bundle: string;
}

async function main(): Promise<void> {
  const story = createStory(process.stdout);
  const unavailable = await labUnavailable();
  if (unavailable !== undefined) throw new Error(unavailable);
  // one demo at a time: what an earlier one left, its Temporal server included, goes away
  const folder = removableFolder(join(projectRoot, '.cache', 'demo-cluster'));
  await sealiftHomeIn(folder).remove();
  await mkdir(folder.path, { recursive: true });
  await using lab = await startLab();
  const home = sealiftHomeIn(folder, { IN_MEMORY_CLOUD: lab.cloud.socket });
  const demo = { home, story, lab, bundle: join(home.path, 'artifacts.tar') };
  await exportRelease(demo);
  await createManagement(demo);
  await createWorkload(demo);
  await upgradeBoth(demo);
  await deleteBoth(demo);
  await summary(demo);
}

async function exportRelease(demo: Demo): Promise<void> {
  const { story, bundle } = demo;
  await using release = await story.step('Make a release with the real Cluster API, and serve it', serveClusterRelease);
  await story.step('Export it', () =>
    sealift(demo, [
      ...['export', 'artifacts', '--source', 'eks-anywhere', '-f', release.manifest],
      ...['--output', bundle, ...release.pullFrom],
    ]),
  );
}

async function createManagement(demo: Demo): Promise<void> {
  const { story, lab, bundle } = demo;
  // its machines are imitations; its API server, once it has one, is a real one
  await lab.expectManagementCluster({ namespace, name: 'admin' });
  const file = await specification(demo, 'admin', labVersions.older);
  await story.step('The release is gone now. Create a management cluster: no Docker, no Internet', () =>
    sealift(demo, ['create', 'cluster', '-f', file, '--bundle', bundle]),
  );
}

async function createWorkload(demo: Demo): Promise<void> {
  const file = await specification(demo, 'shop', labVersions.older);
  await demo.story.step('Create a workload cluster with it', () =>
    sealift(demo, ['create', 'cluster', '-f', file, '--bundle', demo.bundle, ...byAdmin(demo)]),
  );
}

async function upgradeBoth(demo: Demo): Promise<void> {
  const { story, bundle } = demo;
  const shop = await specification(demo, 'shop', labVersions.newer);
  await story.step('Upgrade the workload cluster to the next Kubernetes minor version', async () => {
    await sealift(demo, ['upgrade', 'plan', 'cluster', '-f', shop, '--bundle', bundle, ...byAdmin(demo)]);
    await sealift(demo, ['upgrade', 'cluster', '-f', shop, '--bundle', bundle, ...byAdmin(demo)]);
  });
  const admin = await specification(demo, 'admin', labVersions.newer);
  await story.step('Upgrade the management cluster: it upgrades itself', () =>
    sealift(demo, ['upgrade', 'cluster', '-f', admin, '--bundle', bundle]),
  );
  await sealift(demo, ['get', 'clusters', ...byAdmin(demo)]);
}

async function deleteBoth(demo: Demo): Promise<void> {
  const { story, bundle } = demo;
  await story.step('Delete the workload cluster', () => sealift(demo, ['delete', 'cluster', 'shop', ...byAdmin(demo)]));
  await story.step('Delete the management cluster: a bootstrap cluster takes it over for that', () =>
    sealift(demo, ['delete', 'cluster', 'admin', '--bundle', bundle]),
  );
}

/** Writes the specification of a cluster. @returns its path */
function specification({ home }: Demo, name: string, kubernetesVersion: string): Promise<string> {
  const changes = [managedBy('admin'), ofVersion(minorOf(kubernetesVersion))];
  return writeSpecification(home, inMemory.specTemplate(name), name, changes);
}

function byAdmin({ home }: Demo): string[] {
  return byManagement(home, 'admin');
}

async function summary({ home, story }: Demo): Promise<void> {
  const status = await runSealift(['server', 'status', '--output-format', 'json'], { home });
  const server = JSON.parse(status.stdout) as { uiUrl: string; namespace: string };
  story.heading('What happened');
  story.say(story.durations().join('\n'));
  story.heading('Look around');
  story.say(
    [
      `Temporal UI   ${server.uiUrl}/namespaces/${server.namespace}/workflows`,
      `stop Temporal XDG_STATE_HOME=${home.env['XDG_STATE_HOME'] ?? ''} bin/sealift server stop`,
    ].join('\n'),
  );
}

/** Shows a command as it would be typed, runs it, and shows what it says. @throws Error unless it ends well */
async function sealift({ home, story }: Demo, args: string[]): Promise<void> {
  story.command(['bin/sealift', ...args]);
  const { code } = await runSealift(args, { home, onOutput: story.output });
  if (code !== 0) throw new Error(`sealift ended with ${code}`);
}

await main();
