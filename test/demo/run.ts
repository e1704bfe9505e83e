import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../../cli/display/format.ts';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.ts';
import { projectRoot, removableFolder, requireTool } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { createPusher } from '../helpers/push.ts';
import { startRegistry, type TestRegistry } from '../helpers/registry.ts';
import { counterReaches, runSealift, sealiftHomeIn, type KillPlan, type SealiftHome } from '../helpers/sealift.ts';
import { demoChart, demoSource, demoTool, originHost, type DemoSource } from './images.ts';
import { createStory, type Story } from './story.ts';

/** The far side's namespace, so that one sees where references land. */
const namespace = 'mirror';
/** The first export is killed when this much of everything has come. */
const killedAt = 0.4;
/** The source is slowed down until then, so that there is something to watch: seconds that one stream of everything would take. */
const slowSeconds = 30;

interface Demo {
  home: SealiftHome;
  story: Story;
  source: DemoSource;
  /** stands in front of the source registry and counts every byte that it sends */
  wire: FaultProxy;
  origin: TestRegistry;
  destination: TestRegistry;
  tar: string;
  list: string;
}

async function main(): Promise<void> {
  const story = createStory(process.stdout);
  // one demo at a time: what an earlier one left, its Temporal server included, goes away
  const home = sealiftHomeIn(removableFolder(join(projectRoot, '.cache', 'demo')));
  await home.remove();
  await mkdir(home.path, { recursive: true });
  await using origin = await startRegistry({ kind: 'distribution' });
  await using destination = await startRegistry({ kind: 'distribution' });
  await using wire = await startFaultProxy(origin.url);
  const tar = join(home.path, 'artifacts.tar');
  const source = await story.step('Make real images and put them into a source registry', () => fill(origin));
  const demo = { home, story, source, wire, origin, destination, tar, list: join(home.path, 'images.txt') };
  await writeFile(demo.list, `# what the demo carries\n${source.references.join('\n')}\n`);
  story.say(source.references.map((reference) => `  ${reference}`).join('\n'));
  story.say(`  ${formatBytes(source.bytes)} of layers, one image for two platforms, one chart, two things attached`);

  const first = await exportKilled(demo);
  const second = await exportAgain(demo);
  await carryOver(demo);
  await pullBack(demo);
  await summary(demo, first, second);
}

async function fill(origin: TestRegistry): Promise<DemoSource> {
  const source = await demoSource();
  const pusher = await createPusher(origin);
  try {
    for (const { repository, tag, image } of source.pushes) await pusher.push(repository, tag, image);
  } finally {
    await pusher.close();
  }
  return source;
}

function exportArguments({ tar, list, wire }: Demo): string[] {
  return ['export', 'artifacts', '--output', tar, '-f', list, '--pull-from', `${originHost}=${wire.url}`];
}

/** @returns bytes that crossed the wire */
async function exportKilled(demo: Demo): Promise<number> {
  const { wire, source, story } = demo;
  const bytesPerSecond = Math.ceil(source.bytes / slowSeconds);
  const fault = { kind: 'slow', direction: 'down', bytesPerSecond } as const;
  wire.add({ name: 'a slow line', path: /\/blobs\//, times: Infinity, fault });
  const kill = { when: counterReaches(() => wire.downloaded(), source.bytes * killedAt) };
  await story.step('Export over a slow line, and kill -9 command and worker in the middle', () =>
    sealift(demo, exportArguments(demo), kill),
  );
  story.say(`  killed after ${formatBytes(wire.downloaded())} of about ${formatBytes(source.bytes)}`);
  return wire.downloaded();
}

/** @returns bytes that crossed the wire */
async function exportAgain(demo: Demo): Promise<number> {
  const { wire, story } = demo;
  const before = wire.downloaded();
  wire.clear();
  await story.step('The same command again, over a fast line', () => sealift(demo, exportArguments(demo)));
  return wire.downloaded() - before;
}

async function carryOver(demo: Demo): Promise<void> {
  const { story, tar, destination, origin } = demo;
  // the far side has no way to the near one
  await origin.stop();
  const registry = ['--registry', `${destination.host}/${namespace}`];
  await story.step('The source is gone now. Import into an empty registry', () =>
    sealift(demo, ['import', 'artifacts', '--input', tar, ...registry]),
  );
  await story.step('Check every digest in the tar and in the registry', () =>
    sealift(demo, ['verify', 'artifacts', '--input', tar, ...registry]),
  );
}

/** Other people's tools look at what arrived. @throws Error when a digest is another one */
async function pullBack({ story, source, destination, home }: Demo): Promise<void> {
  const at = (repository: string): string => `${destination.host}/${namespace}/${repository}`;
  const tool = `${at(demoTool.repository)}:${demoTool.tag}`;
  await story.step('Look at the registry with crane, oras and helm', async () => {
    const [crane, oras, helm] = await Promise.all(['crane', 'oras', 'helm'].map(requireTool));
    for (const { repository, tag, digest } of source.tags) {
      const found = (await runOk(crane!, ['digest', '--insecure', `${at(repository)}:${tag}`])).trim();
      if (found !== digest) throw new Error(`${repository}:${tag} is ${found}, not ${digest}`);
    }
    story.say(`crane digest   all ${source.tags.length} tags have the digests of the source`);
    const program = await extract(crane!, tool, home.path);
    story.say(`crane export   ${program} runs: version ${(await runOk(program, ['version'])).trim()}`);
    const options = { env: home.env, cwd: home.path };
    const discovered = await runOk(oras!, ['discover', '--plain-http', tool], options);
    if (!discovered.includes(demoTool.attachedType)) throw new Error(`nothing is attached to ${tool}:\n${discovered}`);
    story.say(`oras discover  ${discovered.trim().replaceAll('\n', '\n               ')}`);
    const chart = ['pull', `oci://${at(demoChart.repository)}`, '--version', demoChart.tag, '--plain-http'];
    await runOk(helm!, chart, options);
    story.say(`helm pull      ${join(home.path, `hello-${demoChart.tag}.tgz`)}`);
  });
}

/** Takes the program out of an image. @returns its path */
async function extract(crane: string, reference: string, folder: string): Promise<string> {
  const script = '"$1" export --insecure "$2" - | tar --extract --directory "$3" "$4"';
  await runOk('sh', ['-c', script, 'sh', crane, reference, folder, demoTool.executable]);
  return join(folder, demoTool.executable);
}

async function summary({ home, story, source, tar }: Demo, first: number, second: number): Promise<void> {
  const size = (await stat(tar)).size;
  const status = await runSealift(['server', 'status', '--output-format', 'json'], { home });
  const server = JSON.parse(status.stdout) as { uiUrl: string; namespace: string };
  const state = home.env['XDG_STATE_HOME'] ?? '';
  story.heading('What happened');
  story.say(
    [
      `carried       ${source.references.length} references with what is attached to them, in one tar of ${formatBytes(size)}`,
      `over the wire ${formatBytes(first)} until the kill, ${formatBytes(second)} after it: ${formatBytes(first + second)} in all`,
      ...story.durations(),
    ].join('\n'),
  );
  story.heading('Look around');
  story.say(
    [
      `Temporal UI   ${server.uiUrl}/namespaces/${server.namespace}/workflows`,
      `the tar       ${tar}`,
      `stop Temporal XDG_STATE_HOME=${state} bin/sealift server stop`,
    ].join('\n'),
  );
}

/** Shows a command as it would be typed, runs it, and shows what it says. @throws Error unless it ends as it should */
async function sealift({ home, story }: Demo, args: string[], kill?: KillPlan): Promise<void> {
  story.command(['bin/sealift', ...args]);
  const options = { home, onOutput: story.output, ...(kill === undefined ? {} : { kill }) };
  const { code, killed } = await runSealift(args, options);
  if (kill !== undefined && !killed) throw new Error('it ended before it could be killed');
  if (kill === undefined && code !== 0) throw new Error(`sealift ended with ${code}`);
}

await main();
