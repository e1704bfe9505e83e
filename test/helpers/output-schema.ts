import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from './paths.ts';

const schema = JSON.parse(readFileSync(join(projectRoot, 'docs/schemas/output.json'), 'utf8')) as {
  $schema: string;
  $defs: Record<string, object>;
};

/**
 * Parses what a command printed with `--output-format json`, and checks it against docs/schemas/output.json.
 *
 * @throws when it is not exactly one document of that kind
 */
export function parseOutput(kind: string, text: string): Record<string, unknown> {
  const document: unknown = JSON.parse(text);
  if (schema.$defs[kind] === undefined) throw new Error(`docs/schemas/output.json does not define ${kind}`);
  const { $schema, $defs } = schema;
  return z.fromJSONSchema({ $schema, $defs, $ref: `#/$defs/${kind}` } as never).parse(document) as Record<
    string,
    unknown
  >;
}
