import { describe, expect, it } from 'vitest';
import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import { makeCharm } from '../../../test/helpers/charms.ts';
import { makeZip } from '../../../test/helpers/zip.ts';
import { memoryContext, type MemoryContext } from '../../../test/contract/memory-context.ts';
import { charmedKubeflow } from './index.ts';

const digest = `sha256:${'a'.repeat(64)}`;

function bundleOf(applications: Record<string, object>): string {
  return JSON.stringify({ bundle: 'kubernetes', name: 'flow', applications });
}

async function listOf(
  documents: Record<string, string | Uint8Array>,
  fields: { files?: string[]; options?: Record<string, string[]>; context?: MemoryContext } = {},
): Promise<SourceContents & { warnings: string[]; images: Record<string, string> }> {
  const { files = Object.keys(documents), options = {}, context = memoryContext(documents) } = fields;
  const selection = { source: 'charmed-kubeflow', files, kubeVersions: [], providers: [], options };
  const contents = await charmedKubeflow.list(selection, context);
  const images = contents.items.filter(({ kind, name }) => kind === 'image' && name !== 'charm-base');
  return {
    ...contents,
    warnings: context.warnings,
    images: Object.fromEntries(images.map(({ reference, foundAt }) => [reference, foundAt])),
  };
}

describe('charms', () => {
  it('are found in a folder, carried with their checksum, and matched to applications by their own name', async () => {
    const database = makeCharm({ name: 'database-k8s', resources: { 'db-image': `h.test/db@${digest}` } });
    const { items, images, warnings, documents } = await listOf(
      {
        '/in/bundle.yaml': bundleOf({ 'one-db': { charm: 'ch:database-k8s' }, other: { charm: 'database-k8s' } }),
        '/in/charms/database-k8s_r12.charm': database,
        '/in/charms/notes.txt': 'not a charm',
      },
      { files: ['/in/bundle.yaml', '/in/charms'] },
    );
    expect(warnings).toEqual([]);
    expect(images).toEqual({ [`h.test/db@${digest}`]: 'one-db/database-k8s_r12.charm/resources.db-image' });
    expect(items.find(({ kind }) => kind === 'file')).toEqual({
      kind: 'file',
      name: 'database-k8s_r12.charm',
      reference: 'file:///in/charms/database-k8s_r12.charm',
      checksums: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      package: 'charm',
      foundAt: '/in/charms/database-k8s_r12.charm',
    });
    expect(documents.map(({ title }) => title)).toEqual(['applications.json', 'bundle.yaml']);
  });

  it('bring their base images: the documented ones and those they were built for', async () => {
    const { items } = await listOf({ '/in/a.charm': makeCharm({ name: 'a', base: '24.04' }) });
    const bases = items.filter(({ name }) => name === 'charm-base').map(({ reference }) => reference);
    expect(bases).toEqual(['20.04', '22.04', '24.04'].map((v) => `docker.io/jujusolutions/charm-base:ubuntu-${v}`));
  });

  it('that are missing are named in one warning, and one that no application uses is carried', async () => {
    const { warnings, images } = await listOf({
      '/in/bundle.yaml': bundleOf({
        here: { charm: 'here' },
        'a-db': { charm: 'database-k8s' },
        gone: { charm: 'gone' },
      }),
      '/in/here.charm': makeCharm({ name: 'here' }),
      '/in/extra.charm': makeCharm({ name: 'extra', resources: { 'oci-image': 'h.test/extra:1' } }),
    });
    expect(warnings).toEqual([expect.stringContaining('no charm was given for a-db (database-k8s), gone;')]);
    expect(images).toEqual({ 'h.test/extra:1': 'extra/extra.charm/resources.oci-image' });
  });

  it('of one name are told apart by the revision of the bundle, or refused', async () => {
    const charms = {
      '/in/a_r1.charm': makeCharm({ name: 'a', resources: { 'oci-image': 'h.test/a:1' } }),
      '/in/a_r2.charm': makeCharm({ name: 'a', resources: { 'oci-image': 'h.test/a:2' } }),
    };
    const { images } = await listOf({ '/in/bundle.yaml': bundleOf({ x: { charm: 'a', revision: 2 } }), ...charms });
    expect(images['h.test/a:2']).toBe('x/a_r2.charm/resources.oci-image');
    await expect(listOf({ '/in/bundle.yaml': bundleOf({ x: { charm: 'a' } }), ...charms })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: {
        subject: expect.stringMatching(/^\/in\/bundle\.yaml:1:\d+$/),
        message: expect.stringContaining('a_r1.charm'),
      },
    });
  });

  it.each([
    ['is no zip', Buffer.from('hello'), 'a.charm'],
    ['is cut off', makeCharm({ name: 'a' }).subarray(0, 100), 'a.charm'],
    ['has no metadata', makeZip({ dispatch: '' }), '/in/a.charm'],
    ['says an impossible name', makeCharm({ name: '../a' }), '/in/a.charm/metadata.yaml:1:1'],
    [
      'names no image',
      makeCharm({ name: 'a', resources: { 'oci-image': 'H.test/A:1' } }),
      '/in/a.charm/metadata.yaml:6:5',
    ],
    ['is a zip bomb', makeZip({ 'metadata.yaml': `name: a\n#${' '.repeat(40_000_000)}` }), 'a.charm'],
    [
      'lies about the size of a zip bomb',
      makeZip({ 'metadata.yaml': `name: a\n#${' '.repeat(40_000_000)}` }, { 'metadata.yaml': { size: 20 } }),
      'a.charm',
    ],
  ])('that %s is refused, naming the place', async (_, charm, subject) => {
    await expect(listOf({ '/in/a.charm': charm })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: expect.stringContaining(subject), remedy: expect.stringMatching(/./) },
    });
  });
});

describe('the images of a charm', () => {
  const options = {
    'web-image': 'h.test/web:1',
    'empty-image': '',
    'book-images': '',
    'other-images': "['h.test/other:1', 'h.test/other:2']",
    custom_images: "agent: ''\nhelper: 'h.test/helper:2'\nnobody: ''\n",
    queue_sidecar_image: '',
    'image-configuration':
      "pilot-image: 'pilot'\nglobal-tag: '1.2'\nglobal-hub: 'h.test/mesh'\nglobal-proxy-image: 'proxy'\ninit: 'busybox:1'\n",
  };
  const files = {
    'src/default-book-images.yaml': '- h.test/book:1\n- h.test/book:2\n',
    'src/default-custom-images.json': JSON.stringify({
      agent: 'h.test/agent:1',
      helper: 'x:1',
      'queue-proxy': 'h.test/queue:1',
    }),
    'src/templates/serving_runtimes_manifests.yaml.j2': '  image: h.test/fixed:1\n  image: {{ agent }}\n',
  };
  const charm = makeCharm({ name: 'a', options, files, resources: { 'oci-image': 'docker.io/a/b:1', silent: null } });

  it('are those of resources, options, the defaults behind empty options, and templates', async () => {
    const { images, warnings } = await listOf({
      '/in/bundle.yaml': bundleOf({ app: { charm: 'a' } }),
      '/in/a.charm': charm,
    });
    expect(images).toEqual({
      'busybox:1': 'app/a.charm/options.image-configuration.init',
      'docker.io/a/b:1': 'app/a.charm/resources.oci-image',
      'h.test/agent:1': 'app/a.charm/options.custom_images.agent',
      'h.test/book:1': 'app/a.charm/options.book-images[0]',
      'h.test/book:2': 'app/a.charm/options.book-images[1]',
      'h.test/fixed:1': 'a.charm/src/templates/serving_runtimes_manifests.yaml.j2:1',
      'h.test/helper:2': 'app/a.charm/options.custom_images.helper',
      'h.test/mesh/pilot:1.2': 'app/a.charm/options.image-configuration.pilot-image',
      'h.test/mesh/proxy:1.2': 'app/a.charm/options.image-configuration.global-proxy-image',
      'h.test/other:1': 'app/a.charm/options.other-images[0]',
      'h.test/other:2': 'app/a.charm/options.other-images[1]',
      'h.test/queue:1': 'app/a.charm/options.custom_images.queue-proxy',
      'h.test/web:1': 'app/a.charm/options.web-image',
    });
    expect(warnings).toEqual([
      expect.stringMatching(/h\.test\/fixed:1 stands in a template/),
      expect.stringContaining('which image its resource silent is'),
      expect.stringContaining('custom_images does not say which images these are: nobody;'),
    ]);
  });

  it('are changed by what the bundle sets', async () => {
    const application = {
      charm: 'a',
      options: { 'web-image': 'h.test/own:1', custom_images: 'nobody: h.test/own:2' },
      resources: { 'oci-image': 'h.test/own:3', silent: 'h.test/own:4' },
    };
    const { images, warnings } = await listOf({
      '/in/bundle.yaml': bundleOf({ app: application }),
      '/in/a.charm': charm,
    });
    expect(Object.keys(images)).toEqual(expect.arrayContaining([1, 2, 3, 4].map((n) => `h.test/own:${n}`)));
    expect(Object.keys(images)).not.toContain('h.test/web:1');
    expect(warnings).toHaveLength(1);
  });

  it.each([
    [{ 'book-images': 'a: b' }, 'book-images'],
    [{ custom_images: '[' }, 'custom_images'],
    [{ 'image-configuration': 'pilot-image: pilot' }, 'global-hub'],
    [{ 'web-image': 'not an image' }, 'not an image'],
  ])('are refused where %j stands in the bundle', async (given, named) => {
    const bundle = `bundle: kubernetes\napplications:\n  app:\n    charm: a\n    options:\n      ${Object.keys(given)[0]}: ${JSON.stringify(Object.values(given)[0])}\n`;
    await expect(listOf({ '/in/bundle.yaml': bundle, '/in/a.charm': charm })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: '/in/bundle.yaml:6:7', message: expect.stringContaining(named) },
    });
  });
});

describe('other inputs', () => {
  it('are lists of further images, also those that upstream retagged', async () => {
    const list = '# retagged-images.txt\n172.17.0.2:5000/argoproj/argocli:v3.3.10\nquay.io/x:1\n';
    const { images, documents } = await listOf({ '/in/images.txt': list });
    expect(images).toEqual({
      '172.17.0.2:5000/argoproj/argocli:v3.3.10': 'images.txt:2',
      'quay.io/x:1': 'images.txt:3',
    });
    expect(documents).toEqual([]);
  });

  it('are the images of a Juju controller, when its version is named', async () => {
    const version = (text: string) => listOf({ '/in/a.txt': 'a:1' }, { options: { 'juju-version': [text] } });
    expect(Object.keys((await version('3.6.11')).images)).toEqual([
      'a:1',
      'docker.io/jujusolutions/juju-db:4.4',
      'docker.io/jujusolutions/jujud-operator:3.6.11',
    ]);
    expect(Object.keys((await version('4.0.1')).images)).not.toContain('docker.io/jujusolutions/juju-db:4.4');
    await expect(version('3.6')).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('are one bundle, not two', async () => {
    const bundle = bundleOf({ a: { charm: 'a' } });
    await expect(listOf({ '/in/1.yaml': bundle, '/in/2.yaml': bundle })).rejects.toMatchObject({
      type: 'InvalidInput',
      problem: { subject: '/in/2.yaml:1:1' },
    });
  });

  it('are no charms by URL', async () => {
    await expect(listOf({}, { files: ['https://h.test/a.charm'] })).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});

describe('juju download', () => {
  const channel = '1.10/stable';
  const bundle = bundleOf({
    a: { charm: 'a', channel },
    b: { charm: 'ch:a', channel },
    c: { charm: 'a', channel, revision: 7 },
  });
  const options = { 'juju-download': ['yes'], 'extra-charm': ['dispatcher@1.0/stable'] };

  it('fetches every charm that was not given, once, into the scratch folder', async () => {
    const documents: Record<string, string | Uint8Array> = { '/in/bundle.yaml': bundle };
    const commands: string[] = [];
    const context = {
      ...memoryContext(documents),
      scratch: () => Promise.resolve('/scratch'),
      run: (command: string, args: readonly string[]) => {
        commands.push([command, ...args].join(' '));
        const [path = ''] = args.slice(args.indexOf('--filepath') + 1);
        documents[path] = makeCharm({ name: args.at(-1) ?? '', files: { path } });
        return Promise.resolve('');
      },
    };
    const { items } = await listOf(documents, { files: ['/in/bundle.yaml'], options, context });
    expect(commands).toEqual([
      'juju download --no-progress --filepath /scratch/a_1.10-stable.charm --channel 1.10/stable a',
      'juju download --no-progress --filepath /scratch/a_r7.charm --revision 7 a',
      'juju download --no-progress --filepath /scratch/dispatcher_1.0-stable.charm --channel 1.0/stable dispatcher',
    ]);
    expect(items.filter(({ kind }) => kind === 'file').map(({ name }) => name)).toEqual([
      'a_1.10-stable.charm',
      'a_r7.charm',
      'dispatcher_1.0-stable.charm',
    ]);
  });

  it('says what to do where there is no juju', async () => {
    const context = { ...memoryContext({ '/in/bundle.yaml': bundle }), scratch: () => Promise.resolve('/scratch') };
    await expect(listOf({}, { files: ['/in/bundle.yaml'], options, context })).rejects.toMatchObject({
      type: 'ToolMissing',
      problem: { remedy: expect.stringContaining('juju download --channel 1.10/stable a') },
    });
  });

  it('takes no name that could be an option of juju', async () => {
    const context = { ...memoryContext({ '/in/a.txt': 'a:1' }), scratch: () => Promise.resolve('/scratch') };
    const wrong = { 'juju-download': ['yes'], 'extra-charm': ['--help'] };
    await expect(listOf({}, { files: ['/in/a.txt'], options: wrong, context })).rejects.toMatchObject({
      type: 'InvalidInput',
    });
  });
});
