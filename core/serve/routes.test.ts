import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../test/helpers/content.ts';
import { codeOf, createServing, served, type Serving } from '../../test/helpers/serving.ts';

const { app, layer, web, otherWeb, late, sbom, signature, chart, kubectl } = served;

let serving: Serving;

beforeAll(async () => {
  serving = await createServing();
});

afterEach(() => serving.stopAll());

afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
});

async function digestOfBody(response: Response): Promise<string> {
  return digestOf(new Uint8Array(await response.arrayBuffer()));
}

describe('the registry', () => {
  it('has manifests by tag and by digest, with the media type they came with', async () => {
    const { url } = await serving.start();
    for (const [name, reference, image] of [
      ['team/app', 'v1', app],
      ['team/app', app.root.digest, app],
      ['library/web', '1.25', web],
      ['team/app', signature.tag, signature.image],
    ] as const) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(`${url}/v2/${name}/manifests/${reference}`, { method });
        expect(response.status).toBe(200);
        expect(response.headers.get('content-type')).toBe(image.root.mediaType);
        expect(response.headers.get('docker-content-digest')).toBe(image.root.digest);
        expect(response.headers.get('content-length')).toBe(String(image.root.size));
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (method === 'GET') expect(digestOf(bytes)).toBe(image.root.digest);
        else expect(bytes.length).toBe(0);
      }
    }
  });

  it('has blobs, whole and in part', async () => {
    const { url } = await serving.start();
    const address = `${url}/v2/team/app/blobs/${layer.digest}`;
    const whole = await fetch(address);
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(digestOf(bytes)).toBe(layer.digest);
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    const tag = whole.headers.get('etag')!;
    const part = await fetch(address, { headers: { range: 'bytes=300000-599999', 'if-range': tag } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 300000-599999/${layer.size}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(300_000, 600_000))).toBe(true);
    const changed = await fetch(address, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } });
    expect([changed.status, (await changed.arrayBuffer()).byteLength]).toEqual([200, layer.size]);
    const beyond = await fetch(address, { headers: { range: `bytes=${layer.size}-` } });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${layer.size}`]);
    const known = await fetch(address, { headers: { 'if-none-match': tag } });
    expect([known.status, (await known.arrayBuffer()).byteLength]).toEqual([304, 0]);
    const head = await fetch(address, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(layer.size)]);
  });

  it('lists tags and repositories page by page', async () => {
    const { url } = await serving.start();
    const pages: unknown[] = [];
    for (let next: string | undefined = '/v2/team/app/tags/list?n=1'; next !== undefined;) {
      const response = await fetch(url + next);
      pages.push(((await response.json()) as { tags: string[] }).tags);
      next = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(pages).toEqual([[signature.tag], ['v1']]);
    const none = await fetch(`${url}/v2/team/app/tags/list?n=0`);
    expect([await none.json(), none.headers.get('link')]).toEqual([{ name: 'team/app', tags: [] }, null]);
    expect((await fetch(`${url}/v2/team/app/tags/list?n=x`)).status).toBe(400);
    const catalog = (await (await fetch(`${url}/v2/_catalog?last=library`)).json()) as { repositories: string[] };
    expect(catalog.repositories.slice(0, 1)).toEqual(['library/web']);
    expect(catalog.repositories).toContain('team/app');
  });

  it('has referrers, filtered where asked', async () => {
    const { url } = await serving.start();
    const referrers = async (query: string): Promise<[unknown[], string | null]> => {
      const response = await fetch(`${url}/v2/team/app/referrers/${query}`);
      expect(response.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json');
      const { manifests } = (await response.json()) as { manifests: unknown[] };
      return [manifests, response.headers.get('oci-filters-applied')];
    };
    const { mediaType, digest, size } = sbom.root;
    const wanted = { mediaType, digest, size, artifactType: 'application/spdx+json' };
    expect(await referrers(app.root.digest)).toEqual([[wanted], null]);
    const filter = (type: string): string => `${app.root.digest}?artifactType=${encodeURIComponent(type)}`;
    expect(await referrers(filter('application/spdx+json'))).toEqual([[wanted], 'artifactType']);
    expect(await referrers(filter('other/type'))).toEqual([[], 'artifactType']);
    expect(await referrers(web.root.digest)).toEqual([[], null]);
  });

  it('finds an original name by the host that containerd says, and nothing of another', async () => {
    const { url } = await serving.start({ inputs: [serving.first, serving.second] });
    const digestAt = async (path: string): Promise<string | null> => {
      const response = await fetch(`${url}/v2/${path}`, { method: 'HEAD' });
      return response.headers.get('docker-content-digest');
    };
    expect(await digestAt('library/web/manifests/1.25?ns=docker.io')).toBe(web.root.digest);
    expect(await digestAt('library/web/manifests/1.25?ns=quay.io')).toBe(otherWeb.root.digest);
    expect(await digestAt('library/web/manifests/1.25?ns=ghcr.io')).toBe(null);
    expect(await digestAt('late/late/manifests/v2')).toBe(late.root.digest);
  });

  it('gives the first bundle a tag that two want, and says so', async () => {
    const { url, warnings } = await serving.start({ inputs: [serving.first, serving.second] });
    const response = await fetch(`${url}/v2/library/web/manifests/1.25`);
    expect(response.headers.get('docker-content-digest')).toBe(web.root.digest);
    expect(warnings.join('\n')).toContain(`library/web:1.25 stays ${web.root.digest}`);
    expect((await fetch(`${url}/v2/library/web/manifests/${otherWeb.root.digest}`)).status).toBe(200);
  });

  it.each([
    ['no/such/manifests/v1', 404, 'NAME_UNKNOWN'],
    ['NOT-A-NAME/manifests/v1', 400, 'NAME_INVALID'],
    ['team/app/manifests/v9', 404, 'MANIFEST_UNKNOWN'],
    ['team/app/manifests/.bad', 404, 'MANIFEST_UNKNOWN'],
    [`team/app/manifests/${layer.digest}`, 404, 'MANIFEST_UNKNOWN'],
    ['team/app/manifests/sha256:xyz', 400, 'DIGEST_INVALID'],
    [`team/app/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    [`team/app/blobs/sha512:${'0'.repeat(128)}`, 404, 'BLOB_UNKNOWN'],
    ['team/app/blobs/sha256:xyz', 400, 'DIGEST_INVALID'],
    ['team/app/referrers/xyz', 400, 'DIGEST_INVALID'],
    ['team/app/other/xyz', 404, 'UNSUPPORTED'],
  ])('answers %s with %i %s', async (path, status, code) => {
    const { url } = await serving.start();
    const response = await fetch(`${url}/v2/${path}`);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  it('takes nothing', async () => {
    const { url } = await serving.start();
    for (const [method, path] of [
      ['POST', 'team/app/blobs/uploads/'],
      ['PUT', 'team/app/manifests/v1'],
      ['DELETE', `team/app/manifests/${app.root.digest}`],
    ] as const) {
      const response = await fetch(`${url}/v2/${path}`, { method, body: method === 'PUT' ? '{}' : null });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      expect(await codeOf(response)).toBe('UNSUPPORTED');
    }
  });
});

describe('the files', () => {
  it('lie at their original host and path', async () => {
    const { url } = await serving.start();
    for (const prefix of ['', '/files']) {
      const response = await fetch(`${url}${prefix}/dl.example/release/v1/kubectl?token=1`);
      expect(Buffer.from(await response.arrayBuffer()).equals(kubectl)).toBe(true);
    }
    for (const path of ['with%20space+plus', 'with%20space%2bplus']) {
      expect(await (await fetch(`${url}/dl.example/release/v1/${path}`)).text()).toBe('spaced');
    }
    expect(await rawStatus(url, '/dl.example/./release/x/../v1/kubectl')).toBe(200);
    expect(await rawStatus(url, '/dl.example/../../dl.example/release/./')).toBe(200);
    const empty = await fetch(`${url}/dl.example/empty`);
    expect([empty.status, empty.headers.get('content-length')]).toEqual([200, '0']);
  });

  it('are listed', async () => {
    const { url } = await serving.start();
    const listing = await fetch(`${url}/dl.example/release/v1`);
    expect(listing.url).toBe(`${url}/dl.example/release/v1/`);
    expect(await listing.text()).toContain('<a href="./with%20space%2Bplus">with space+plus</a>');
    expect(await (await fetch(`${url}/`)).text()).toContain('href="./dl.example/"');
  });

  it('are what they are, and not what is asked for', async () => {
    const { url } = await serving.start();
    for (const path of ['/dl.example/none', '/etc/passwd', '/files/../../etc/passwd', '/%2e%2e/etc/passwd', '/%zz']) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(404);
    }
    expect((await fetch(`${url}/dl.example/empty`, { method: 'PUT', body: 'x' })).status).toBe(405);
  });

  it('of charts are a Helm repository over all bundles', async () => {
    const { url } = await serving.start({ inputs: [serving.second, serving.first] });
    const index = await (await fetch(`${url}/helm/index.yaml`)).text();
    expect(index).toContain('name: demo');
    const [, path = ''] = /- (charts\/\S+)/.exec(index) ?? [];
    const archive = await digestOfBody(await fetch(`${url}/helm/${path}`));
    expect(chart.blobs.map(({ digest }) => digest)).toContain(archive);
  });
});

/** The status of a path that is sent as it is: fetch would resolve its dots. */
function rawStatus(url: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { path, agent: false }, (response) => {
      resolve(response.resume().statusCode);
    });
    asked.on('error', reject).end();
  });
}
