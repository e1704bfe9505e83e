import type { Finding } from '../../contracts/clusters.ts';
import type { ProviderContext } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import { problem } from './spec/findings.ts';
import { byVersion, minorOf } from './spec/syntax.ts';

/** `--skip-validations` leaves the tools out by this name. */
const TOOLS_VALIDATION = 'tools';
/** The first that reads charts of today (apiVersion v2) and needs nothing on the cluster. */
const OLDEST_HELM = 'v3.8';

export interface ToolsWanted {
  /** version of Cluster API that clusterctl is to install or move, e.g. `v1.14.0` */
  clusterApi?: string;
  helm: boolean;
}

interface Tool {
  name: string;
  /** as `minorOf` says it */
  oldest: string;
  why: string;
  args: readonly string[];
  env: Record<string, string>;
  versionIn(output: string): string | undefined;
}

/**
 * Looks whether the programs that an operation will run are there and new enough: found missing in the middle, a cluster would
 * wait for them half made.
 * @param skip names of validations to leave out
 */
export async function toolFindings(
  wanted: ToolsWanted,
  { context, skip }: { context: Pick<ProviderContext, 'run'>; skip: readonly string[] },
): Promise<Finding[]> {
  if (skip.includes(TOOLS_VALIDATION)) return [];
  const found = await Promise.all(toolsOf(wanted).map((tool) => look(tool, context)));
  return found.flat();
}

function toolsOf({ clusterApi, helm }: ToolsWanted): Tool[] {
  const clusterctl = (version: string): Tool => ({
    name: 'clusterctl',
    oldest: minorOf(version),
    why: `Cluster API ${version} is what the bundle has, and an older clusterctl may not know it`,
    args: ['version', '--output', 'json'],
    // it would ask whether there is a newer one
    env: { CLUSTERCTL_DISABLE_VERSIONCHECK: 'true', GOPROXY: 'off' },
    versionIn: (output) => /"gitVersion":\s*"(v\d+\.\d+[^"]*)"/.exec(output)?.[1],
  });
  const charts: Tool = {
    name: 'helm',
    oldest: minorOf(OLDEST_HELM),
    why: 'older ones cannot read the charts of the bundle',
    args: ['version', '--short'],
    env: {},
    versionIn: (output) => /^v\d+\.\d+\S*/m.exec(output)?.[0],
  };
  return [...(clusterApi === undefined ? [] : [clusterctl(clusterApi)]), ...(helm ? [charts] : [])];
}

async function look(
  { name, oldest, why, args, env, versionIn }: Tool,
  { run }: Pick<ProviderContext, 'run'>,
): Promise<Finding[]> {
  const said = (id: string, what: { message: string; remedy: string }): Finding =>
    problem(`tool.${id}`, name, { ...what, side: 'local' });
  try {
    const version = versionIn(await run(name, args, { env, timeoutMs: 60_000 }));
    if (version === undefined) {
      const message = `what \`${[name, ...args].join(' ')}\` says is no version`;
      return [said('unknown-version', { message, remedy: `put the real ${name} on PATH of the worker` })];
    }
    if (byVersion(minorOf(version), oldest) >= 0) return [];
    const message = `it is ${version}: ${why}`;
    return [said('too-old', { message, remedy: `put ${name} v${oldest} or newer on PATH of the worker` })];
  } catch (error) {
    if (!(error instanceof SealiftError)) throw error;
    const { message, remedy } = error.problem;
    return [said('missing', { message, remedy })];
  }
}
