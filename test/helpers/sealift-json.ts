import { parseOutput } from './output-schema.ts';
import { runSealift, type SealiftHome } from './sealift.ts';

/**
 * Runs a command with `--output-format json`.
 * @returns its document, checked against docs/schemas
 * @throws Error with everything the command wrote, when it ends with another code than expected
 */
export async function sealiftJson(
  home: SealiftHome,
  kind: string,
  args: string[],
  expected: { code?: number; env?: Record<string, string> } = {},
): Promise<Record<string, unknown>> {
  const { code = 0, env = {} } = expected;
  const finished = await runSealift([...args, '--output-format', 'json'], { home, env });
  if (finished.code !== code) {
    const { stdout, stderr } = finished;
    throw new Error(`sealift ${args.join(' ')} ended with ${finished.code}, not ${code}:\n${stderr}${stdout}`);
  }
  return parseOutput(kind, finished.stdout);
}
