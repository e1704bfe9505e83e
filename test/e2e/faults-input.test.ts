import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateImage } from '../helpers/images.ts';
import {
  createProvingGround,
  expectDone,
  expectProblems,
  origin,
  type ProvingGround,
} from '../helpers/proving-ground.ts';
import { serveRelease, type ServedRelease } from '../helpers/served-release.ts';
import { smallBundles } from '../helpers/small-bundles.ts';

let ground: ProvingGround;
let release: ServedRelease;
let manifest: string;

beforeAll(async () => {
  ground = await createProvingGround();
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  release = await serveRelease(smallBundles);
  manifest = await readFile(release.manifest, 'utf8');
  return () => release[Symbol.asyncDispose]();
});

/** Exports the release with a changed manifest. */
async function exportChanged(name: string, change: (text: string) => string, ...more: string[]) {
  const changed = change(manifest);
  expect(changed, 'the manifest was not changed').not.toBe(manifest);
  const file = ground.path(`${name}.yaml`);
  await writeFile(file, changed);
  const output = ground.path(`${name}.tar`);
  return ground.run(['export', 'artifacts', '-o', output, '-f', file, ...release.pullFrom, ...more]);
}

function lineOf(text: string, part: string): number {
  return text.slice(0, text.indexOf(part)).split('\n').length;
}

describe('a manifest', () => {
  const asEksAnywhere = ['--source', 'eks-anywhere'];

  it('of an unknown kind is refused with file, line and kind', async () => {
    const change = (text: string): string => text.replace('kind: Bundles', 'kind: Bundle');
    const line = lineOf(manifest, 'kind: Bundles');
    expectProblems(await exportChanged('kind', change, ...asEksAnywhere), 2, [
      { type: 'InvalidInput', side: 'source', subject: `kind.yaml:${line}`, message: 'unknown kind Bundle' },
    ]);
    expectProblems(await exportChanged('kind', change), 2, [
      { type: 'InvalidInput', side: 'source', subject: 'kind.yaml', remedy: /--source .*eks-anywhere, images/ },
    ]);
  });

  it('without a field is refused with file, line and the path of the field', async () => {
    const [, removed = ''] = /\n( +manifestUrl: .*)/.exec(manifest) ?? [];
    const result = await exportChanged('field', (text) => text.replace(`${removed}\n`, ''), ...asEksAnywhere);
    expectProblems(result, 2, [
      {
        type: 'InvalidInput',
        side: 'source',
        subject: /field\.yaml:\d+/,
        message: 'spec.versionsBundles[0].eksD.manifestUrl',
      },
    ]);
  });

  it('that is no YAML is refused with file and line', async () => {
    const result = await exportChanged('yaml', (text) => text.replace('spec:', 'spec: ['), ...asEksAnywhere);
    expectProblems(result, 2, [{ type: 'InvalidInput', side: 'source', subject: /yaml\.yaml:\d+/ }]);
  });

  it('that is a folder is refused, and what takes folders is named', async () => {
    const folder = ground.path('folder');
    await mkdir(folder);
    const exporting = ['export', 'artifacts', '-o', ground.path('folder.tar'), '-f', folder];
    const refused = { type: 'InvalidInput', side: 'source', subject: 'folder', message: 'it is a folder' } as const;
    expectProblems(await ground.run(exporting), 2, [{ ...refused, remedy: /--source .*charmed-kubeflow/ }]);
    expectProblems(await ground.run([...exporting, ...asEksAnywhere]), 2, [{ ...refused, remedy: 'name a file' }]);
  });

  it('that is not there is named', async () => {
    const args = ['export', 'artifacts', '-o', ground.path('absent.tar'), '-f', ground.path('absent.yaml')];
    const run = await ground.run([...args, ...asEksAnywhere, '--on-failure', 'fail']);
    expectProblems(run, 5, [{ type: 'FileMissing', side: 'source', subject: 'absent.yaml' }]);
  });

  it('that states a wrong sha256 of a file ends the export with that file named', async () => {
    const lie = 'a'.repeat(64);
    const change = (text: string): string => text.replace(/sha256: [0-9a-f]{64}/g, `sha256: ${lie}`);
    expectProblems(await exportChanged('sha256', change), 4, [
      { type: 'DigestMismatch', side: 'source', subject: 'https://release-bucket/artifacts/containerd.tar.gz' },
    ]);
  });

  it('that states a wrong imageDigest parks as TagMoved, both digests and the place told', async () => {
    const [stated = ''] = /sha256:[0-9a-f]{64}/.exec(manifest) ?? [];
    const lie = `sha256:${'b'.repeat(64)}`;
    const run = await exportChanged('digest', (text) => text.replaceAll(stated, lie));
    expectProblems(run, 5, [
      { type: 'TagMoved', side: 'source', message: new RegExp(`${lie}.*${stated}`), remedy: '--digest-policy warn' },
    ]);
  });
});

describe('a list of images', () => {
  it('with a line that is no reference is refused with the line', async () => {
    const list = await ground.list('bad.txt', ['# ours', `${origin}/team/app:v1`, `${origin}/Team/App:v1`]);
    const run = await ground.run(ground.exportArgs(ground.path('bad.tar'), list, '--source', 'images'));
    expectProblems(run, 2, [{ type: 'InvalidInput', side: 'source', subject: /bad\.txt:3/, message: 'Team/App' }]);
  });

  it('whose tag moved is refused, and with --digest-policy warn pulled by the stated digest', async () => {
    const before = generateImage({ seed: 'before', layers: [500] });
    await ground.offer('team/moved', 'v1', before);
    const after = generateImage({ seed: 'after', layers: [500] });
    const reference = await ground.offer('team/moved', 'v1', after);
    const list = await ground.list('moved.txt', [`${reference}@${before.root.digest}`]);
    const refused = await ground.run(ground.exportArgs(ground.path('refused.tar'), list, '--on-failure', 'fail'));
    expectProblems(refused, 4, [
      { type: 'TagMoved', side: 'source', subject: 'team/moved:v1', message: after.root.digest },
    ]);
    const output = ground.path('moved.tar');
    const warned = await ground.run(ground.exportArgs(output, list, '--digest-policy', 'warn'));
    expectDone(warned);
    expect(warned.document?.warnings?.join()).toContain(after.root.digest);
    const names = await ground.run(['verify', 'artifacts', '-i', output]);
    expectDone(names);
  });
});
