import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostPaths } from '../contracts/host.ts';
import type { ClusterDependencies } from '../activities/clusters/tools.ts';
import { findOnMachine, preferImages } from '../core/bootstrap/binaries.ts';
import { existingDriver } from '../core/bootstrap/existing-driver.ts';
import { processesDriver } from '../core/bootstrap/processes-driver.ts';
import { openContents } from '../core/clusters/content.ts';
import { isTool } from '../core/clusters/release-programs.ts';
import { workspaceOf } from '../core/clusters/workspace.ts';
import { toolRunner } from '../core/host/run-tool.ts';
import { providers } from '../plugins/providers/index.ts';
import { clusterPrograms } from './cluster-programs.ts';

/** The pinned tools of a checkout; an installed Sealift finds programs on PATH. */
const toolsFolder = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../.cache/bin' : '../../.cache/bin', import.meta.url),
);

const otherBootstrap = ', or give an existing cluster with --bootstrap-kubeconfig';

/** Where archives of diagnostics are kept: apart from the folders of clusters, since a delete removes those. */
export function diagnosticsFolder({ state }: HostPaths): string {
  return join(state, 'diagnostics');
}

/** What the steps of cluster operations are given on this machine. */
export function clusterTools(paths: HostPaths, env: NodeJS.ProcessEnv): ClusterDependencies {
  const workspace: ClusterDependencies['workspace'] = (input) => workspaceOf(paths.state, input);
  const contents: ClusterDependencies['contents'] = ({ content, registry }, asked) =>
    openContents(content, { ...asked, registry, configDir: paths.config, env });
  const folder = join(paths.cache, 'programs');
  const inImages = clusterPrograms({ providers, workspace, contents, environment: env, folder });
  const onMachine = findOnMachine([toolsFolder], env);
  const findTool: ClusterDependencies['findTool'] = (input) => (name) =>
    preferImages(
      inImages(input),
      onMachine,
    )(name).catch((error: unknown) =>
      // a bundle or registry that can't be read now is no reason to stop where the machine has the tool
      onMachine(name).catch(() => {
        throw error;
      }),
    );
  return {
    providers,
    workspace,
    diagnostics: diagnosticsFolder(paths),
    contents,
    findTool,
    run: (input) =>
      toolRunner([toolsFolder], env, (command) =>
        isTool(command) ? findTool(input)(command) : Promise.resolve(command),
      ),
    bootstrap: (input, provider) =>
      input.bootstrap.driver === 'kubeconfig'
        ? existingDriver(input.bootstrap.kubeconfig)
        : processesDriver({
            folder: workspace(input).bootstrap,
            findBinary: preferImages(inImages(input), findOnMachine([toolsFolder], env, otherBootstrap)),
            programs: provider?.programs ?? {},
          }),
    environment: env,
  };
}
