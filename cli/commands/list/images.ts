import { Command } from 'commander';
import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import type { CommandContext, ResultDocument } from '../../context.ts';
import { printable } from '../../display/format.ts';
import { addConfigOption } from '../../options/config-option.ts';
import { addConnectionOptions, registryOptions, type ConnectionOptions } from '../../options/registry-options.ts';
import { addSourceOptions, requireInput, sourceSelections, type SourceOptions } from '../../options/source-options.ts';

/** What the options of `list images` say. */
export interface ListImagesOptions extends SourceOptions, ConnectionOptions {}

/** `sealift list images` */
export function listImagesCommand(context: CommandContext): Command {
  const command = new Command('images').description(
    'List what an export would fetch: images, charts, manifests and files.',
  );
  requireInput(addConnectionOptions(addSourceOptions(addConfigOption(command, context))));
  return command.action((options: ListImagesOptions) => listImages(context, options));
}

/** Prints what the sources list. Needs neither Temporal nor a worker. */
export async function listImages(context: CommandContext, options: ListImagesOptions): Promise<void> {
  const { sources } = await context.host();
  const { cwd } = context.terminal;
  const selections = await sourceSelections(options, sources, cwd);
  const contents = await sources.list(
    selections,
    { pullFrom: options.pullFrom ?? {}, registry: registryOptions(options, cwd) },
    (message) => context.status().note(`Warning: ${message}`),
  );
  context.result(contentsDocument(contents));
}

function contentsDocument({ items, documents }: SourceContents): ResultDocument {
  const lines = items.map(({ reference, digest }) =>
    digest === undefined || reference.includes('@') ? reference : `${reference}@${digest}`,
  );
  return {
    text: lines.map((line) => `${printable(line)}\n`).join(''),
    json: {
      kind: 'images',
      items,
      documents: documents.map(({ destination, title, mediaType, content }) => ({
        destination,
        title,
        mediaType,
        size: content.byteLength,
      })),
    },
  };
}
