import { Command } from 'commander';
import type { BundleContents, ContentSum } from '../../contracts/host.ts';
import type { CommandContext, ResultDocument } from '../context.ts';
import { count, formatBytes, printable, table } from '../display/format.ts';
import { bundlePath } from '../options/source-options.ts';

/** `sealift inspect` */
export function inspectCommand(context: CommandContext): Command {
  return new Command('inspect')
    .description('Show what is in a bundle: its items, what they weigh and share, per source and per platform.')
    .argument('<file>', 'the tar that `sealift export artifacts` wrote')
    .action(async (file: string) => {
      const { bundles } = await context.host();
      context.result(contentsDocument(await bundles.contents(bundlePath(file, context.terminal.cwd))));
    });
}

function contentsDocument(contents: BundleContents): ResultDocument {
  const { digest, size, items, blobs, bytes, sources, platforms, skipped } = contents;
  const together = items.reduce((sum, item) => sum + item.size, 0);
  const head = [
    `Bundle: ${digest}, ${formatBytes(size)}`,
    `Contents: ${count(items.length, 'item')}, ${count(blobs, 'blob')}, ${formatBytes(bytes)}; ${formatBytes(together - bytes)} saved by sharing`,
    ...sources.map(({ name, selection }) => `Source: ${name}${selectionText(selection)}`),
    `Platforms: ${platforms.length === 0 ? 'all that there were' : platforms.join(', ')}`,
  ];
  const rows = items.map((item) => [
    item.package ?? item.kind,
    formatBytes(item.size),
    formatBytes(item.sharedBytes),
    item.source,
    item.platforms.join(','),
    item.reference,
  ]);
  const parts = [
    head.map((line) => `${line}\n`).join(''),
    table([['KIND', 'SIZE', 'SHARED', 'SOURCE', 'PLATFORMS', 'REFERENCE'], ...rows]),
    sumTable('SOURCE', contents.bySource),
    sumTable('PLATFORM', contents.byPlatform),
    ...(contents.byPackage.length === 0 ? [] : [sumTable('PACKAGES', contents.byPackage)]),
    ...(skipped.length === 0
      ? []
      : [skipped.map(({ reference, reason }) => `Skipped: ${reference} (${reason})\n`).join('')]),
  ];
  return { text: printable(parts.join('\n')), json: { kind: 'inspect', ...contents } };
}

function selectionText(selection: Record<string, string[]>): string {
  const chosen = Object.entries(selection).map(([name, values]) => `${name} ${values.join(', ')}`);
  return chosen.length === 0 ? '' : ` (${chosen.join('; ')})`;
}

function sumTable(heading: string, sums: ContentSum[]): string {
  const rows = sums.map(({ name, items, bytes }) => [name, String(items), formatBytes(bytes)]);
  return table([[heading, 'ITEMS', 'SIZE'], ...rows]);
}
