import { stringify } from 'yaml';
import { z } from 'zod';
import type { ClusterSpec, EksaClusterSpec } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import { fieldName } from '../../sources/yaml-documents.ts';
import { specApiVersion, specDocument } from './common-schema.ts';
import type { SpecProvider } from './read-documents.ts';
import { readClusterSpec, type ReadSpec } from './read-spec.ts';
import { checkShape } from './shape.ts';

// What tests of specifications share; nothing else may use it.

const datacenter = specDocument(z.strictObject({ region: z.string().optional() }));
const machine = specDocument(z.strictObject({ size: z.int().optional() }));

/** The smallest provider there can be. */
export const exampleProvider: SpecProvider = {
  name: 'example',
  kinds: { datacenter: 'ExampleDatacenterConfig', machine: 'ExampleMachineConfig', others: [] },
  checkDocument: (kind, document) => checkShape(document, kind === 'ExampleMachineConfig' ? machine : datacenter),
  validateSpec: () => [],
};

/** A specification with nothing to find, for tests to change. */
export interface ExampleSpec {
  cluster: {
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace?: string; annotations?: Record<string, string> };
    spec: EksaClusterSpec;
  };
  /** the other documents */
  others: Record<string, unknown>[];
}

export function exampleSpec(): ExampleSpec {
  return {
    cluster: {
      apiVersion: specApiVersion,
      kind: 'Cluster',
      metadata: { name: 'prod' },
      spec: {
        kubernetesVersion: '1.31',
        controlPlaneConfiguration: {
          count: 3,
          endpoint: { host: '192.0.2.10' },
          machineGroupRef: { kind: 'ExampleMachineConfig', name: 'prod-cp' },
        },
        workerNodeGroupConfigurations: [
          { name: 'md-0', count: 2, machineGroupRef: { kind: 'ExampleMachineConfig', name: 'prod-md' } },
        ],
        datacenterRef: { kind: 'ExampleDatacenterConfig', name: 'prod' },
        clusterNetwork: {
          cniConfig: { cilium: {} },
          pods: { cidrBlocks: ['192.168.0.0/16'] },
          services: { cidrBlocks: ['10.96.0.0/12'] },
        },
      },
    },
    others: [
      exampleDocument('ExampleDatacenterConfig', 'prod', { region: 'here' }),
      exampleDocument('ExampleMachineConfig', 'prod-cp', { size: 2 }),
      exampleDocument('ExampleMachineConfig', 'prod-md', {}),
    ],
  };
}

export function exampleDocument(kind: string, name: string, spec: object): Record<string, unknown> {
  return { apiVersion: specApiVersion, kind, metadata: { name }, spec };
}

/** Reads YAML text as `spec.yaml`. */
export function readText(text: string, providers: readonly SpecProvider[] = [exampleProvider], now?: Date): ReadSpec {
  return readClusterSpec('spec.yaml', new TextEncoder().encode(text), providers, now);
}

/** Reads the example after a change. */
export function readChanged(change: (example: ExampleSpec) => void): ReadSpec {
  const example = exampleSpec();
  change(example);
  return readText([example.cluster, ...example.others].map((document) => stringify(document)).join('---\n'));
}

/** The specification after a change. @throws Error when it cannot be read */
export function changedSpec(change: (example: ExampleSpec) => void): ClusterSpec {
  const { spec, findings } = readChanged(change);
  if (spec === undefined) throw new Error(summaries(findings).join('\n'));
  return spec;
}

/** A finding as one comparable line: `problem spec.count spec.controlPlaneConfiguration.count`. */
export function summaries(findings: readonly Finding[]): string[] {
  return findings.map(({ status, id, position, path = [] }) =>
    [status, id, position?.field ?? fieldName(path)].filter((part) => part !== '').join(' '),
  );
}
