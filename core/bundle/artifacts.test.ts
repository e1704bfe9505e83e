import { describe, expect, it } from 'vitest';
import { MediaType } from '../../contracts/media-types.ts';
import { billOfMaterialsArtifact, fileArtifact, readBillOfMaterials } from './artifacts.ts';
import { content, sampleBill } from './testing.ts';

const { descriptor } = content('application/yaml', 'kind: List\n');
const bill = sampleBill(descriptor.digest, 'x.example/app:v1');

describe('fileArtifact', () => {
  it('is the manifest that oras push would make, without a time', () => {
    const { manifest, config } = fileArtifact({
      ...descriptor,
      title: 'list.yaml',
      annotations: { origin: 'https://x' },
    });
    expect(JSON.parse(Buffer.from(manifest.bytes).toString())).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      artifactType: MediaType.file,
      config: {
        mediaType: MediaType.ociEmpty,
        digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        size: 2,
      },
      layers: [{ ...descriptor, annotations: { 'org.opencontainers.image.title': 'list.yaml' } }],
      annotations: { origin: 'https://x' },
    });
    expect(manifest.descriptor.digest).toBe(content('', manifest.bytes).descriptor.digest);
    expect(Buffer.from(config.bytes).toString()).toBe('{}');
  });
});

describe('the bill of materials', () => {
  const artifact = billOfMaterialsArtifact(bill);

  it('reads back what was written', () => {
    expect(readBillOfMaterials(artifact.manifest.bytes, artifact.layer.bytes)).toEqual(bill);
  });

  it('refuses bytes that its manifest does not name', () => {
    const other = billOfMaterialsArtifact({ ...bill, platforms: ['linux/amd64'] });
    expect(() => readBillOfMaterials(artifact.manifest.bytes, other.layer.bytes)).toThrow(/BundleCorrupt|not those of/);
  });

  it('refuses the manifest of something else', () => {
    const { manifest } = fileArtifact({ ...descriptor, title: 'x' });
    expect(() => readBillOfMaterials(manifest.bytes, artifact.layer.bytes)).toThrow(/artifactType/);
  });

  it('names the field that is wrong', () => {
    const wrong = billOfMaterialsArtifact({ ...bill, items: [{ ...bill.items[0]!, size: -1 }] });
    expect(() => readBillOfMaterials(wrong.manifest.bytes, wrong.layer.bytes)).toThrow(/items\.0\.size/);
  });

  it('refuses to grow beyond what readers take', () => {
    const items = Array.from({ length: 2 }, () => ({ ...bill.items[0]!, name: 'x'.repeat(2 ** 21) }));
    expect(() => billOfMaterialsArtifact({ ...bill, items })).toThrow(/of at most 4194304/);
  });
});
