import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterSpec, RegistryMirrorConfiguration } from '../../contracts/cluster-spec.ts';
import type { Finding } from '../../contracts/clusters.ts';
import { generateCertificates, type Certificates } from '../../test/helpers/certificates.ts';
import { generateImage, type GeneratedImage } from '../../test/helpers/images.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { createPusher } from '../../test/helpers/push.ts';
import { startRegistry, type TestRegistry } from '../../test/helpers/registry.ts';
import { mirrorFindings } from './mirror-images.ts';
import type { ReleaseImage } from './release-images.ts';
import { changedSpec } from './spec/testing.ts';

const credentials = { user: 'nodes', password: 'secret-of-the-mirror' };
const env = { REGISTRY_USERNAME: credentials.user, REGISTRY_PASSWORD: credentials.password };
const here = generateImage({ seed: 'here', layers: [10] });
const other = generateImage({ seed: 'other', layers: [10] });

describe('images in the registry mirror', () => {
  let folder: TemporaryFolder;
  let certificates: Certificates;
  let registry: TestRegistry;
  let mirror: RegistryMirrorConfiguration;

  beforeAll(async () => {
    folder = await temporaryFolder('mirror');
    certificates = await generateCertificates(folder.path);
    registry = await startRegistry({ kind: 'distribution', tls: certificates, htpasswd: credentials });
    const pusher = await createPusher({ url: registry.url, credentials, ca: certificates.ca });
    await pusher.push('ecr/eks-distro/here', 'v1', here);
    await pusher.push('ecr/eks-distro/changed', 'v1', other);
    await pusher.close();
    mirror = {
      endpoint: '127.0.0.1',
      port: String(registry.port),
      authenticate: true,
      ociNamespaces: [{ registry: 'public.ecr.aws', namespace: 'ecr' }],
      caCertContent: await readFile(certificates.ca, 'utf8'),
    };
  });
  afterAll(async () => {
    await registry.stop();
    await folder.remove();
  });

  const find = (
    images: ReleaseImage[],
    change: Partial<RegistryMirrorConfiguration> = {},
    environment: Record<string, string> = env,
  ): Promise<Finding[]> =>
    mirrorFindings(specWith({ ...mirror, ...change }), images, { env: environment, alive: () => undefined });
  const ids = (findings: Finding[]): string[] => findings.map(({ id }) => id);

  it('finds nothing wrong with those that are there, whichever of their digests it is', async () => {
    expect(await find([imageAt('here', here)])).toEqual([]);
    expect(await find([{ ...imageAt('here', other), digests: [other.root.digest, here.root.digest] }])).toEqual([]);
    expect(await find([{ ...imageAt('here', here), digests: [] }])).toEqual([]);
  });

  it('names all that are missing or differ, with the place and the remedy', async () => {
    const many = Array.from({ length: 30 }, (_, index) => imageAt(`missing-${index}`, here));
    const findings = await find([...many, imageAt('changed', here), imageAt('here', here)]);
    expect(ids(findings).filter((id) => id === 'registry.image-missing')).toHaveLength(30);
    expect(findings[0]).toMatchObject({
      status: 'problem',
      subject: `${registry.host}/ecr/eks-distro/missing-0:v1`,
      message: 'the registry mirror lacks public.ecr.aws/eks-distro/missing-0:v1',
      remedy: expect.stringContaining(`sealift import artifacts --registry ${registry.host}`) as string,
    });
    const differs = findings.find(({ id }) => id === 'registry.image-differs');
    expect(differs?.message).toBe(
      `the registry mirror has ${other.root.digest} there, the release ${here.root.digest}`,
    );
    expect(findings).toHaveLength(31);
  });

  it('looks where nodes look: below the namespace of the origin', async () => {
    expect(ids(await find([imageAt('here', here)], { ociNamespaces: [] }))).toEqual(['registry.image-missing']);
  });

  it.each([
    ['no password is given', {}, {}, 'REGISTRY_USERNAME'],
    ['the password is wrong', {}, { ...env, REGISTRY_PASSWORD: 'wrong' }, 'REGISTRY_PASSWORD'],
    ['nodes are given none', { authenticate: false }, env, 'authenticate: true'],
  ])('says it once when %s', async (_name, change, environment, remedy) => {
    const findings = await find([imageAt('here', here), imageAt('changed', here)], change, environment);
    expect(ids(findings)).toEqual(['registry.refused']);
    expect(findings[0]?.remedy).toContain(remedy);
    expect(JSON.stringify(findings)).not.toContain(credentials.password);
  });

  it('trusts what nodes are told to trust, and nothing else', async () => {
    const { caCertContent: _ca, ...untold } = mirror;
    const asked = [imageAt('here', here)];
    const refused = await mirrorFindings(specWith(untold), asked, { env, alive: () => undefined });
    expect(ids(refused)).toEqual(['registry.refused']);
    const skipping = { ...untold, insecureSkipVerify: true };
    expect(await mirrorFindings(specWith(skipping), asked, { env, alive: () => undefined })).toEqual([]);
  });

  it('asks nobody where there is no mirror', async () => {
    const context = { env: {}, alive: () => undefined };
    expect(await mirrorFindings(specWith(undefined), [imageAt('missing', here)], context)).toEqual([]);
  });
});

function imageAt(name: string, image: GeneratedImage): ReleaseImage {
  return { reference: `public.ecr.aws/eks-distro/${name}:v1`, digests: [image.root.digest] };
}

function specWith(mirror: RegistryMirrorConfiguration | undefined): ClusterSpec {
  return changedSpec(({ cluster }) => {
    if (mirror !== undefined) cluster.spec.registryMirrorConfiguration = mirror;
  });
}
