import { z } from 'zod';
import type { FluxConfigSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import { specDocument } from './common-schema.ts';

const text = z.string();

export const fluxConfigDocument = specDocument(
  z.strictObject({
    systemNamespace: text.optional(),
    clusterConfigPath: text.optional(),
    branch: text.optional(),
    git: z
      .strictObject({ repositoryUrl: text, sshKeyAlgorithm: z.enum(['rsa', 'ecdsa', 'ed25519']).optional() })
      .optional(),
    github: z.strictObject({ owner: text, repository: text, personal: z.boolean().optional() }).optional(),
  }),
);

const gitOpsGithub = z.strictObject({
  owner: text,
  repository: text,
  personal: z.boolean().optional(),
  fluxSystemNamespace: text.optional(),
  branch: text.optional(),
  clusterConfigPath: text.optional(),
});

/** The older way to say what a FluxConfig with GitHub says. */
export const gitOpsConfigDocument = specDocument(z.strictObject({ flux: z.strictObject({ github: gitOpsGithub }) }));

type GitOpsGithub = NonNullable<FluxConfigSpec['github']> &
  Pick<FluxConfigSpec, 'branch' | 'clusterConfigPath'> & { fluxSystemNamespace?: string };

/** What a GitOpsConfig says, as the FluxConfig that says the same. */
export function fluxConfigOf(gitOps: SpecObject<{ flux: { github: GitOpsGithub } }>): SpecObject<FluxConfigSpec> {
  const { fluxSystemNamespace, branch, clusterConfigPath, ...github } = gitOps.spec.flux.github;
  return {
    ...gitOps,
    kind: 'FluxConfig',
    spec: {
      ...(fluxSystemNamespace === undefined ? {} : { systemNamespace: fluxSystemNamespace }),
      ...(branch === undefined ? {} : { branch }),
      ...(clusterConfigPath === undefined ? {} : { clusterConfigPath }),
      github,
    },
  };
}
