import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

/** A command before it is loaded: enough for the overview that `--help` shows. */
export interface CommandEntry {
  /** one or two words */
  words: readonly [string] | readonly [string, string];
  summary: string;
  hidden?: true;
  load(context: CommandContext): Promise<Command>;
}

/** What the first word of a two-word command stands for. */
export const groupSummaries: Record<string, { summary: string; hidden?: true }> = {
  export: { summary: 'bring things out of the connected world' },
  import: { summary: 'bring things into the far side' },
  list: { summary: 'list images or operations' },
  create: { summary: 'make clusters' },
  upgrade: { summary: 'change clusters' },
  delete: { summary: 'end clusters' },
  get: { summary: 'look at clusters' },
  generate: { summary: 'write files for the far side' },
  verify: { summary: 'check every digest' },
  check: { summary: 'look for what would go wrong' },
  server: { summary: 'the embedded Temporal server' },
  download: { summary: 'deprecated', hidden: true },
};

type OperationVerb = 'describe' | 'watch' | 'retry' | 'skip' | 'abort' | 'cancel' | 'pause' | 'resume';

function operationEntry(verb: OperationVerb, summary: string): CommandEntry {
  return {
    words: [verb],
    summary,
    load: async (context) => (await import('./commands/operation/operation-command.ts'))[`${verb}Command`](context),
  };
}

/** All commands. Their modules are loaded when they are run, since starting quickly matters. */
export const commandTable: readonly CommandEntry[] = [
  {
    words: ['export', 'artifacts'],
    summary: 'fetch everything a distribution needs into one tar',
    load: async (context) => (await import('./commands/export/artifacts.ts')).exportArtifactsCommand(context),
  },
  {
    words: ['import', 'artifacts'],
    summary: 'push a bundle into a registry',
    load: async (context) => (await import('./commands/import/artifacts.ts')).importArtifactsCommand(context),
  },
  {
    words: ['verify', 'artifacts'],
    summary: 'check every digest in a bundle or a registry',
    load: async (context) => (await import('./commands/verify/artifacts.ts')).verifyArtifactsCommand(context),
  },
  {
    words: ['serve'],
    summary: 'serve bundles as a registry and as files',
    load: async (context) => (await import('./commands/serve.ts')).serveCommand(context),
  },
  {
    words: ['inspect'],
    summary: 'show what is in a bundle',
    load: async (context) => (await import('./commands/inspect.ts')).inspectCommand(context),
  },
  {
    words: ['check', 'node'],
    summary: 'look at this machine as a node on the far side',
    load: async (context) => (await import('./commands/check/node.ts')).checkNodeCommand(context),
  },
  {
    words: ['list', 'images'],
    summary: 'list what an export would fetch',
    load: async (context) => (await import('./commands/list/images.ts')).listImagesCommand(context),
  },
  {
    words: ['list', 'operations'],
    summary: 'list operations, the newest first',
    load: async (context) => (await import('./commands/list/operations.ts')).listOperationsCommand(context),
  },
  {
    words: ['generate', 'node-config'],
    summary: 'write what the nodes of a distribution need on the far side',
    load: async (context) => (await import('./commands/generate/node-config.ts')).nodeConfigCommand(context),
  },
  {
    words: ['generate', 'diagnostics'],
    summary: 'collect what a cluster says into an archive without secrets',
    load: async (context) => (await import('./commands/generate/diagnostics.ts')).diagnosticsCommand(context),
  },
  {
    words: ['create', 'cluster'],
    summary: 'create a management or workload cluster',
    load: async (context) => (await import('./commands/create/cluster.ts')).createClusterCommand(context),
  },
  {
    words: ['delete', 'cluster'],
    summary: 'delete a cluster and all that is left of it',
    load: async (context) => (await import('./commands/delete/cluster.ts')).deleteClusterCommand(context),
  },
  {
    words: ['get', 'clusters'],
    summary: 'list clusters and what is wrong with them',
    load: async (context) => (await import('./commands/get/clusters.ts')).getClustersCommand(context),
  },
  {
    words: ['upgrade', 'cluster'],
    summary: 'bring a cluster to what its specification says now',
    load: async (context) => (await import('./commands/upgrade/cluster.ts')).upgradeClusterCommand(context),
  },
  {
    words: ['upgrade', 'plan'],
    summary: 'say what an upgrade would do: plan cluster',
    load: async (context) => (await import('./commands/upgrade/plan.ts')).upgradePlanCommand(context),
  },
  operationEntry('describe', 'show where an operation is, what is wrong and what to do'),
  operationEntry('watch', 'watch an operation to its end'),
  operationEntry('retry', 'go on with a parked operation'),
  operationEntry('skip', 'go on with a parked operation without what is wrong'),
  operationEntry('abort', 'give up a parked operation'),
  operationEntry('cancel', 'end an operation and clean up after it'),
  operationEntry('pause', 'let an operation rest'),
  operationEntry('resume', 'go on with a paused operation'),
  {
    words: ['worker'],
    summary: 'work on operations until stopped',
    load: async (context) => (await import('./commands/worker.ts')).workerCommand(context),
  },
  {
    words: ['server', 'start'],
    summary: 'start it, or find the running one',
    load: async (context) => (await import('./commands/server/server-commands.ts')).serverStartCommand(context),
  },
  {
    words: ['server', 'stop'],
    summary: 'stop it; operations wait in its file',
    load: async (context) => (await import('./commands/server/server-commands.ts')).serverStopCommand(context),
  },
  {
    words: ['server', 'status'],
    summary: 'show it',
    load: async (context) => (await import('./commands/server/server-commands.ts')).serverStatusCommand(context),
  },
  {
    words: ['doctor'],
    summary: 'look for what is missing on this machine',
    load: async (context) => (await import('./commands/doctor.ts')).doctorCommand(context),
  },
  {
    words: ['completion'],
    summary: 'print a completion script for bash, zsh or fish',
    load: async (context) => (await import('./commands/completion.ts')).completionCommand(context),
  },
  {
    words: ['generate', 'support-bundle'],
    summary: 'deprecated: use generate diagnostics',
    hidden: true,
    load: async (context) => (await import('./commands/generate/diagnostics.ts')).supportBundleCommand(context),
  },
  {
    words: ['download', 'artifacts'],
    summary: 'deprecated: use export artifacts',
    hidden: true,
    load: async (context) => (await import('./commands/download/artifacts.ts')).downloadArtifactsCommand(context),
  },
  {
    words: ['download', 'images'],
    summary: 'deprecated: use export artifacts',
    hidden: true,
    load: async (context) => (await import('./commands/download/images.ts')).downloadImagesCommand(context),
  },
  {
    words: ['import', 'images'],
    summary: 'deprecated: use import artifacts',
    hidden: true,
    load: async (context) =>
      (await import('./commands/import/images.ts')).importImagesCommand(context, 'import images'),
  },
  {
    words: ['import-images'],
    summary: 'deprecated: use import artifacts',
    hidden: true,
    load: async (context) =>
      (await import('./commands/import/images.ts')).importImagesCommand(context, 'import-images'),
  },
];
