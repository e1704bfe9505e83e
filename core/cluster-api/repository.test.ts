import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeRepository, type ProviderRelease } from './repository.ts';

const manifest = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: machines.example
spec:
  description: |-
    kind of thing where
    image: busybox
    means something
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
      - image: registry.k8s.io/example/prepare:v1
        name: prepare
      containers:
      - args:
        - --feature-gates=MachinePool=\${EXP_MACHINE_POOL:=true},ClusterTopology=\${CLUSTER_TOPOLOGY:=false},PriorityQueue=\${EXP_PRIORITY_QUEUE:=true}
        env:
        - name: HOST
          value: \${HOST:=""}
        image: registry.k8s.io/example/manager:v1
        name: manager
`;

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'sealift-repository-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

function release(components: string): ProviderRelease {
  const bytes = (text: string) => new TextEncoder().encode(text);
  return {
    name: 'vsphere',
    type: 'InfrastructureProvider',
    version: 'v1.16.1',
    components: bytes(components),
    metadata: bytes('kind: Metadata\n'),
  };
}

const mirrored = (reference: string) => reference.replace('registry.k8s.io', 'mirror.local:5000/registry.k8s.io');

describe('a repository for clusterctl', () => {
  it('has the layout that clusterctl reads, and a configuration that leads there', async () => {
    const providers = [release(manifest)];
    const config = await writeRepository(folder, { providers, certManager: 'none', rewriteImage: mirrored });
    const place = join(folder, 'infrastructure-vsphere', 'v1.16.1');
    expect(parse(await readFile(config, 'utf8'))).toEqual({
      providers: [
        { name: 'vsphere', type: 'InfrastructureProvider', url: join(place, 'infrastructure-components.yaml') },
      ],
      'cert-manager': { url: join(folder, 'cert-manager/v1.0.0/cert-manager.yaml'), version: 'v1.0.0' },
    });
    expect(await readFile(join(place, 'metadata.yaml'), 'utf8')).toBe('kind: Metadata\n');
  });

  it('rewrites the images of containers, and nothing else', async () => {
    const providers = [release(manifest)];
    await writeRepository(folder, { providers, certManager: 'none', rewriteImage: mirrored });
    const written = join(folder, 'infrastructure-vsphere/v1.16.1/infrastructure-components.yaml');
    const expected = manifest
      .replace('registry.k8s.io/example/prepare', 'mirror.local:5000/registry.k8s.io/example/prepare')
      .replace('registry.k8s.io/example/manager', 'mirror.local:5000/registry.k8s.io/example/manager');
    expect(documentsOf(await readFile(written, 'utf8'))).toEqual(documentsOf(expected));
    expect(await readFile(written, 'utf8')).toContain(
      '${EXP_MACHINE_POOL:=true},ClusterTopology=${CLUSTER_TOPOLOGY:=false}',
    );
  });

  it('refuses a manifest that is no YAML', async () => {
    const providers = [release('kind: Deployment\nspec: [\n')];
    const writing = writeRepository(folder, { providers, certManager: 'none', rewriteImage: mirrored });
    await expect(writing).rejects.toMatchObject({ type: 'InvalidInput', problem: { subject: 'vsphere v1.16.1' } });
  });
});

function documentsOf(text: string): unknown[] {
  return text.split(/^---$/m).map((document) => parse(document) as unknown);
}
