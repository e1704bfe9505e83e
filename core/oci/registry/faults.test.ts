import { describe, expect, it } from 'vitest';
import { startTestServer, type Answer } from '../../http/testing.ts';
import { digestOf } from '../digest.ts';
import { clientFor } from './testing.ts';

const index = 'application/vnd.oci.image.index.v1+json';
const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}');
const digest = digestOf(bytes);
const other = digestOf(Buffer.from('other'));

function fault(status: number, code = '', message = ''): Answer {
  return { status, body: JSON.stringify({ errors: [{ code, message }] }) };
}

async function withAnswer<T>(
  answer: Answer | ((url: string) => Answer),
  use: (client: ReturnType<typeof clientFor>) => Promise<T>,
): Promise<T> {
  await using server = await startTestServer(({ url }) => (typeof answer === 'function' ? answer(url) : answer));
  const client = clientFor(server.host);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

describe('fetched manifests are proven', () => {
  const headers = { 'content-type': index };
  it.each([
    [
      'wrong bytes under the right header',
      { status: 200, headers: { ...headers, 'docker-content-digest': other }, body: bytes },
      other,
    ],
    [
      'another digest in the header',
      { status: 200, headers: { ...headers, 'docker-content-digest': other }, body: bytes },
      'v1',
    ],
    ['other bytes than asked for', { status: 200, headers, body: bytes }, other],
  ])('%s', async (_what, answer, reference) => {
    const fetching = withAnswer(answer, (client) => client.fetchManifest('a', reference));
    await expect(fetching).rejects.toMatchObject({ type: 'DigestMismatch' });
  });

  it('a HEAD that does not say enough is followed by a GET', async () => {
    const descriptor = { mediaType: index, digest, size: bytes.length };
    expect(await withAnswer({ status: 200, headers, body: bytes }, (client) => client.headManifest('a', 'v1'))).toEqual(
      descriptor,
    );
    const lying = { ...headers, 'docker-content-digest': other };
    const head = withAnswer({ status: 200, headers: lying, body: bytes }, (client) => client.headManifest('a', digest));
    await expect(head).rejects.toMatchObject({ type: 'DigestMismatch' });
  });
});

describe('pushed manifests', () => {
  it.each([
    [fault(409, 'CONFLICT'), 'TagConflict'],
    [fault(412, 'PRECONDITION', 'configured as immutable'), 'TagConflict'],
    [fault(400, 'TAG_INVALID', 'cannot be overwritten because the repository is immutable'), 'TagConflict'],
    [fault(403, 'DENIED', 'repository does not allow updating: Immutable'), 'TagConflict'],
    [fault(403, 'DENIED', 'no'), 'RegistryForbidden'],
    [fault(404, 'NAME_UNKNOWN', 'project team not found'), 'RepositoryMissing'],
    [fault(404, 'BLOB_UNKNOWN'), 'BlobMissing'],
    [fault(400, 'MANIFEST_BLOB_UNKNOWN'), 'BlobMissing'],
    [fault(400, 'MANIFEST_INVALID'), 'RequestRefused'],
    [fault(500, 'UNKNOWN'), 'RegistryUnavailable'],
    [{ status: 201, headers: { 'docker-content-digest': other } }, 'DigestMismatch'],
  ])('answered %j are %s', async (answer, type) => {
    const pushing = withAnswer(answer, (client) => client.putManifest('team/a', 'v1', index, bytes));
    await expect(pushing).rejects.toMatchObject({ type });
  });

  it('says how to create what is missing, and what the registry said', async () => {
    const answer = fault(404, 'NAME_UNKNOWN', 'project team not found\u001b[31m');
    const error = await withAnswer(answer, (client) => client.putManifest('team/a', 'v1', index, bytes)).catch(String);
    expect(error).toContain('NAME_UNKNOWN: project team not found');
    expect(error).toContain('project "team"');
    expect(error).toContain('--repository-name team/a');
    expect(error).not.toContain('\u001b');
  });

  it('tells whether the subject was taken in', async () => {
    const accepted = { status: 201, headers: { 'oci-subject': other } };
    expect(await withAnswer(accepted, (client) => client.putManifest('a', 'v1', index, bytes))).toEqual({
      subjectAccepted: true,
    });
    expect(await withAnswer({ status: 201 }, (client) => client.putManifest('a', 'v1', index, bytes))).toEqual({
      subjectAccepted: false,
    });
  });
});

describe('statuses', () => {
  it.each([
    [fault(403, 'DENIED', 'no'), 'RegistryForbidden'],
    [fault(418), 'RequestRefused'],
    [{ ...fault(429, 'TOOMANYREQUESTS'), headers: { 'retry-after': '60' } }, 'RegistryThrottled'],
    [{ ...fault(503), headers: { 'retry-after': '60' } }, 'RegistryUnavailable'],
    [{ status: 502, body: '<html>' }, 'RegistryUnavailable'],
  ])('%j is %s', async (answer, type) => {
    await expect(withAnswer(answer, (client) => client.listTags('a'))).rejects.toMatchObject({ type });
  });

  it('wait as long as they are told', async () => {
    const answer = { ...fault(429), headers: { 'retry-after': '60' } };
    const refusal = withAnswer(answer, (client) => client.mountOrBegin('a', digest));
    await expect(refusal).rejects.toMatchObject({ type: 'RegistryThrottled', retryAfterMs: 60_000 });
  });
});

describe('uploads', () => {
  it('fall back to a session when a mount is refused', async () => {
    const begun = await withAnswer(
      (url) =>
        url.includes('mount=')
          ? fault(405, 'UNSUPPORTED')
          : { status: 202, headers: { location: '/v2/a/blobs/uploads/1?s=%2F' } },
      (client) => client.mountOrBegin('a', digest, 'b'),
    );
    expect(begun).toMatchObject({
      mounted: false,
      location: expect.stringMatching(/^http:.*\/uploads\/1\?s=%2F$/) as string,
    });
  });

  it('need a location', async () => {
    await expect(withAnswer({ status: 202 }, (client) => client.mountOrBegin('a', digest))).rejects.toMatchObject({
      type: 'RequestRefused',
    });
    const missing = withAnswer(fault(404, 'NAME_UNKNOWN'), (client) => client.mountOrBegin('a', digest));
    await expect(missing).rejects.toMatchObject({ type: 'RepositoryMissing' });
  });

  it('keep a signed location as it is when they are finished', async () => {
    await using server = await startTestServer(() => ({ status: 204 }));
    const client = clientFor(server.host);
    await client.finishUpload(`${server.url}/v2/a/blobs/uploads/1?_state=a%2Bb%3D`, 'a', digest);
    expect(server.seen[0]?.url).toBe(`/v2/a/blobs/uploads/1?_state=a%2Bb%3D&digest=${encodeURIComponent(digest)}`);
    await client.close();
  });

  it.each([fault(404, 'BLOB_UPLOAD_UNKNOWN'), fault(400, 'BLOB_UPLOAD_INVALID'), fault(416), fault(405)])(
    'are lost when the answer is %j',
    async (answer) => {
      await using server = await startTestServer(() => answer);
      const client = clientFor(server.host);
      const lost = { type: 'UploadSessionLost' };
      await expect(client.uploadStatus(`${server.url}/v2/a/blobs/uploads/1`)).rejects.toMatchObject(lost);
      await expect(client.finishUpload(`${server.url}/v2/a/blobs/uploads/1`, 'a', digest)).rejects.toMatchObject(lost);
      await client.close();
    },
  );
});

describe('lists', () => {
  it('follow Link headers on the same server', async () => {
    const pages: Record<string, Answer> = {
      '/v2/a/tags/list?n=1000': {
        status: 200,
        headers: { link: '</v2/a/tags/list?last=x>; rel="next"' },
        body: '{"tags":["x"]}',
      },
      '/v2/a/tags/list?last=x': {
        status: 200,
        headers: { link: '<http://elsewhere.example/>; rel="next"' },
        body: '{"tags":["y"]}',
      },
    };
    const answer = (url: string): Answer => pages[url] ?? { status: 500 };
    expect(await withAnswer(answer, (client) => client.listTags('a'))).toEqual(['x', 'y']);
    expect(await withAnswer(answer, (client) => client.listTags('a', 0))).toEqual(['x']);
  });

  it('are refused when they are something else', async () => {
    await expect(withAnswer({ status: 200, body: '<html>' }, (client) => client.listTags('a'))).rejects.toMatchObject({
      type: 'RequestRefused',
    });
    expect(await withAnswer({ status: 200, body: '{"tags":null}' }, (client) => client.listTags('a'))).toEqual([]);
  });

  it('of referrers come page by page', async () => {
    const page = (name: string): string =>
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: index, digest: digestOf(Buffer.from(name)), size: 1 }],
      });
    const referrers = await withAnswer(
      (url) =>
        url.includes('next')
          ? { status: 200, headers: { 'content-type': index }, body: page('b') }
          : { status: 200, headers: { 'content-type': index, link: '<?next=1>; rel=next' }, body: page('a') },
      (client) => client.referrers('a', digest),
    );
    expect(referrers).toHaveLength(2);
  });
});
