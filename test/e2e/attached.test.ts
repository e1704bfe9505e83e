import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateArtifact, generateImage, generateReferrersTag, generateTagAttachment } from '../helpers/images.ts';
import { requireTool, temporaryFolder, type TemporaryFolder } from '../helpers/paths.ts';
import { runOk } from '../helpers/processes.ts';
import { createPuller, type Puller } from '../helpers/pull.ts';
import { createPusher } from '../helpers/push.ts';
import { startRegistry, type RegistryKind } from '../helpers/registry.ts';
import { createSealiftHome, type SealiftHome } from '../helpers/sealift.ts';
import { sealiftJson } from '../helpers/sealift-json.ts';
import { startTemporal, type TestTemporal } from '../helpers/temporal.ts';

let temporal: TestTemporal;
let home: SealiftHome;
let folder: TemporaryFolder;

beforeAll(async () => {
  temporal = await startTemporal();
  home = await createSealiftHome(temporal.env);
  folder = await temporaryFolder('attached');
});

afterAll(async () => {
  await home?.remove();
  await temporal?.stop();
  await folder?.remove();
});

const artifactType = { sbom: 'application/spdx+json', signature: 'application/vnd.cncf.notary.signature' };
const image = generateImage({ seed: 'signed', layers: [5_000], platforms: ['linux/amd64', 'linux/arm64'] });
const attach = (kind: keyof typeof artifactType, text: string, subject = image.root) =>
  generateArtifact({
    artifactType: artifactType[kind],
    files: [{ title: `${kind}.json`, mediaType: 'application/json', bytes: Buffer.from(`{"about":"${text}"}`) }],
    subject,
  });
const sbom = attach('sbom', 'the index');
const sbomSignature = attach('signature', 'the SBOM', sbom.root);
const platformSbom = attach('sbom', 'linux/amd64', image.manifests[0]);
const cosign = generateTagAttachment(image.root.digest, 'sig');

/** Puts the image and everything attached to it into `signed/app`. */
async function fill(url: string, kind: RegistryKind): Promise<void> {
  const pusher = await createPusher({ url });
  await pusher.push('signed/app', 'v1', image);
  for (const referrer of [sbom, sbomSignature, platformSbom]) await pusher.push('signed/app', undefined, referrer);
  await pusher.push('signed/app', cosign.tag, cosign.image);
  if (kind !== 'olareg') {
    // without the referrers API it is the pusher's duty to keep the fallback tag
    const subjects = [
      [image.root.digest, sbom, artifactType.sbom],
      [sbom.root.digest, sbomSignature, artifactType.signature],
      [image.manifests[0]!.digest, platformSbom, artifactType.sbom],
    ] as const;
    for (const [subject, referrer, type] of subjects) {
      const index = generateReferrersTag(subject, [{ image: referrer, artifactType: type }]);
      await pusher.push('signed/app', index.tag, index.image);
    }
  }
  await pusher.close();
}

async function referrersOf(puller: Puller, url: string, kind: RegistryKind, subject: string): Promise<string[]> {
  if (kind === 'olareg') {
    const answer = await fetch(`${url}/v2/signed/app/referrers/${subject}`);
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest);
  }
  const { document } = await puller.manifest('signed/app', subject.replace(':', '-'));
  return document.manifests!.map(({ digest }) => digest);
}

describe.each([
  ['olareg', 'olareg'],
  ['olareg', 'distribution'],
  ['distribution', 'olareg'],
] as const)('from %s to %s', (from, to) => {
  it('signatures, SBOMs and what is attached to them come along', async () => {
    await using upstream = await startRegistry({ kind: from });
    await using destination = await startRegistry({ kind: to });
    await using puller = createPuller(destination.url);
    await fill(upstream.url, from);
    const list = join(folder.path, `${from}-${to}.txt`);
    const tar = join(folder.path, `${from}-${to}.tar`);
    await writeFile(list, 'images.test/signed/app:v1\n');
    const pullFrom = ['--pull-from', `images.test=${upstream.url}`];
    await sealiftJson(home, 'export', ['export', 'artifacts', '--output', tar, '-f', list, ...pullFrom]);
    const place = ['--input', tar, '--registry', destination.host];
    await sealiftJson(home, 'import', ['import', 'artifacts', ...place]);
    expect(await puller.whole('signed/app', 'v1')).toBe(image.root.digest);
    for (const { root } of [sbom, sbomSignature, platformSbom]) await puller.whole('signed/app', root.digest);
    expect(await puller.whole('signed/app', cosign.tag)).toBe(cosign.image.root.digest);
    const found = (subject: string): Promise<string[]> => referrersOf(puller, destination.url, to, subject);
    expect(await found(image.root.digest)).toEqual([sbom.root.digest]);
    expect(await found(sbom.root.digest)).toEqual([sbomSignature.root.digest]);
    expect(await found(image.manifests[0]!.digest)).toEqual([platformSbom.root.digest]);
    const discovered = await runOk(
      await requireTool('oras'),
      ['discover', '--plain-http', '--format', 'json', `${destination.host}/signed/app:v1`],
      { env: home.env },
    );
    expect(discovered).toContain(sbom.root.digest);
    await sealiftJson(home, 'verify', ['verify', 'artifacts', ...place]);
    const again = await sealiftJson(home, 'import', ['import', 'artifacts', ...place]);
    expect(again).toMatchObject({ bytesPushed: 0, tagsWritten: 0 });
  });
});
