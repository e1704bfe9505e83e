import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../test/helpers/content.ts';
import { generateArtifact, type GeneratedImage } from '../../test/helpers/images.ts';
import { codeOf, createServing, served, type Serving } from '../../test/helpers/serving.ts';
import { writeBundle } from '../../test/helpers/write-bundle.ts';

// Requests of our own for what the OCI distribution conformance suite asks of a registry that is only pulled from, named like
// its workflows and tests. What is asserted follows the specification (v1.1), where that is stricter than the suite.

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const { app, web, sbom, signature } = served;
const MISSING = digestOf(Buffer.from('missing content'));
/** speaks of something that nobody has */
const orphan = generateArtifact({
  artifactType: 'application/vnd.example.orphan',
  files: [],
  subject: { ...app.root, digest: MISSING },
});
const other = generateArtifact({
  artifactType: 'application/vnd.example.other',
  files: [{ title: 'empty', mediaType: 'text/plain', bytes: Buffer.alloc(0) }],
  subject: app.root,
});

const ABSENT = digestOf(Buffer.from('a blob that was never pushed'));
const SHA512 = `sha512:${'0'.repeat(128)}`;
const BAD = 'sha256:baddigeststring';

let serving: Serving;
let registry: string;

beforeAll(async () => {
  serving = await createServing();
  const more = `${serving.folder}/more.tar`;
  const attached = [{ image: other }, { image: orphan }];
  await writeBundle(more, [{ reference: 'registry.k8s.io/team/app:v0', image: app, attached }]);
  registry = (await serving.start({ inputs: [serving.first, more] })).url;
});

afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
});

function ask(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${registry}/v2/${path}`, { method, headers, ...(method === 'PUT' ? { body: '{}' } : {}) });
}

interface TagList {
  name: string;
  tags: string[];
}

async function tagsOf(query: string): Promise<string[]> {
  const response = await ask(`team/app/tags/list${query}`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
  const { name, tags } = (await response.json()) as TagList;
  expect(name).toBe('team/app');
  return tags;
}

describe('pull', () => {
  it('ping', async () => {
    const response = await ask('');
    expect([response.status, response.headers.get('docker-distribution-api-version')]).toEqual([200, 'registry/2.0']);
  });

  const manifests = [
    ...app.manifests.map((manifest) => ['team/app', manifest.digest, manifest] as const),
    ['team/app', 'v1', app.root],
    ['team/app', signature.tag, signature.image.root],
    ['team/app', sbom.root.digest, sbom.root],
    ['team/app', orphan.root.digest, orphan.root],
    ['library/web', '1.25', web.root],
    ['team/app', other.root.digest, other.root],
  ] as const;

  it.each(manifests)('manifest-head and manifest-get: %s %s', async (name, reference, { mediaType, digest, size }) => {
    for (const method of ['HEAD', 'GET']) {
      // who asks for one form only is still given what the digest names
      const response = await ask(`${name}/manifests/${reference}`, method, { accept: `${INDEX}, ${MANIFEST}` });
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': mediaType,
        'content-length': String(size),
        'docker-content-digest': digest,
      });
      const body = new Uint8Array(await response.arrayBuffer());
      if (method === 'HEAD') expect(body).toHaveLength(0);
      else expect(digestOf(body)).toBe(digest);
    }
  });

  const blobs = [...app.blobs, ...other.blobs];

  it.each(blobs.map(({ digest, size }) => [digest, size]))('blob-head and blob-get: %s', async (digest, size) => {
    for (const method of ['HEAD', 'GET']) {
      const response = await ask(`team/app/blobs/${digest}`, method);
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'application/octet-stream',
        'content-length': String(size),
        'docker-content-digest': digest,
      });
      const body = new Uint8Array(await response.arrayBuffer());
      if (method === 'HEAD') expect(body).toHaveLength(0);
      else expect(digestOf(body)).toBe(digest);
    }
  });

  it.each([
    ['get-missing: blob', `team/app/blobs/${ABSENT}`, 404, 'BLOB_UNKNOWN'],
    ['get-missing: blob by sha512', `team/app/blobs/${SHA512}`, 404, 'BLOB_UNKNOWN'],
    ['missing-manifest: by digest', `team/app/manifests/${ABSENT}`, 404, 'MANIFEST_UNKNOWN'],
    ['missing-manifest: by sha512', `team/app/manifests/${SHA512}`, 404, 'MANIFEST_UNKNOWN'],
    ['missing-manifest: by tag', 'team/app/manifests/missing-tag', 404, 'MANIFEST_UNKNOWN'],
    ['missing-manifest: in a repository that is not there', 'no/such/manifests/v1', 404, 'NAME_UNKNOWN'],
    ['invalid-digest-format: manifest', `team/app/manifests/${BAD}`, 400, 'DIGEST_INVALID'],
    ['invalid-digest-format: blob', `team/app/blobs/${BAD}`, 400, 'DIGEST_INVALID'],
    ['invalid-digest-format: referrers', `team/app/referrers/${BAD}`, 400, 'DIGEST_INVALID'],
    ['invalid name', 'Team/App/manifests/v1', 400, 'NAME_INVALID'],
  ])('%s', async (_what, path, status, code) => {
    const got = await ask(path);
    expect([got.status, got.headers.get('content-type')]).toEqual([status, 'application/json']);
    const length = got.headers.get('content-length');
    expect(await codeOf(got)).toBe(code);
    const head = await ask(path, 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([status, length, '']);
  });
});

describe('content discovery', () => {
  const all = [signature.tag, 'v0', 'v1'];

  it.each([
    ['', all],
    ['?n=100', all],
    ['?n=2', all.slice(0, 2)],
    ['?n=0', []],
    [`?last=${signature.tag}`, all.slice(1)],
    [`?n=1&last=${signature.tag}`, ['v0']],
    ['?last=v1', []],
    // what `last` names need not be there
    ['?last=v00', ['v1']],
  ])('tag-list%s', async (query, expected) => {
    expect(await tagsOf(query)).toEqual(expected);
  });

  it('tag-list: a page names the next, and the last none', async () => {
    const first = await ask('team/app/tags/list?n=2');
    expect(first.headers.get('link')).toBe('</v2/team/app/tags/list?n=2&last=v0>; rel="next"');
    expect((await ask('team/app/tags/list?n=2&last=v0')).headers.get('link')).toBeNull();
  });

  it.each([
    ['team/app/tags/list?n=-1', 400, 'PAGINATION_NUMBER_INVALID'],
    ['team/app/tags/list?n=many', 400, 'PAGINATION_NUMBER_INVALID'],
    ['no/such/tags/list', 404, 'NAME_UNKNOWN'],
  ])('tag-list: %s', async (path, status, code) => {
    const response = await ask(path);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  const described = ({ root: { mediaType, digest, size } }: GeneratedImage, artifactType: string): object => {
    return { mediaType, digest, size, artifactType };
  };
  const spdx = described(sbom, 'application/spdx+json');
  const example = described(other, 'application/vnd.example.other');
  const unknown = described(orphan, 'application/vnd.example.orphan');

  it.each([
    ['empty', ABSENT, '', [], null],
    ['empty, filtered', ABSENT, '?artifactType=application%2Fspdx%2Bjson', [], 'artifactType'],
    ['of an image', app.root.digest, '', [spdx, example], null],
    ['of an image, filtered', app.root.digest, '?artifactType=application%2Fspdx%2Bjson', [spdx], 'artifactType'],
    ['of an image, filtered to nothing', app.root.digest, '?artifactType=other%2Ftype', [], 'artifactType'],
    ['of a subject that nobody has', MISSING, '', [unknown], null],
  ])('referrers: %s', async (_what, subject, query, expected, filters) => {
    const response = await ask(`team/app/referrers/${subject}${query}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, INDEX]);
    expect(response.headers.get('oci-filters-applied')).toBe(filters);
    const index = (await response.json()) as { schemaVersion: number; mediaType: string; manifests: object[] };
    expect([index.schemaVersion, index.mediaType]).toEqual([2, INDEX]);
    expect(index.manifests).toEqual(expected);
  });
});

// A bundle is not written to: every request of these workflows is answered 405 with what is allowed.
describe('workflows that are refused', () => {
  it.each([
    ['push', 'POST', 'team/app/blobs/uploads/'],
    ['push', 'POST', `team/app/blobs/uploads/?digest=${ABSENT}`],
    ['push', 'POST', `team/app/blobs/uploads/?mount=${ABSENT}&from=library/web`],
    ['push', 'PATCH', 'team/app/blobs/uploads/1'],
    ['push', 'PUT', `team/app/blobs/uploads/1?digest=${ABSENT}`],
    ['push', 'PUT', 'team/app/manifests/v1'],
    ['push', 'PUT', `team/app/manifests/${ABSENT}`],
    ['push', 'PUT', `team/app/manifests/${BAD}`],
    ['content management', 'DELETE', 'team/app/manifests/v1'],
    ['content management', 'DELETE', `team/app/manifests/${app.root.digest}`],
    ['content management', 'DELETE', `team/app/blobs/${app.blobs[0]!.digest}`],
    ['content management', 'DELETE', 'team/app/blobs/uploads/1'],
  ])('%s: %s %s', async (_workflow, method, path) => {
    const response = await ask(path, method);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await codeOf(response)).toBe('UNSUPPORTED');
    expect((await ask('team/app/manifests/v1', 'HEAD')).headers.get('docker-content-digest')).toBe(app.root.digest);
  });

  it('push: the state of an upload that never began is not found', async () => {
    const response = await ask('team/app/blobs/uploads/1');
    expect([response.status, await codeOf(response)]).toEqual([404, 'UNSUPPORTED']);
  });
});
