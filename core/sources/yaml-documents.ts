import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { Document, Node } from 'yaml';
import type { z } from 'zod';
import type { LocatedDocument, SpecPosition } from '../../contracts/cluster-spec.ts';
import { inputError } from './input-error.ts';
import { decodeText } from './text.ts';

export type FieldPath = readonly PropertyKey[];

/** One document of a YAML (or JSON) file. Its `value` is plain data of YAML 1.2's core schema, so an unquoted 1.30 is the number 1.3. */
export type YamlDocument = LocatedDocument;

/** `['spec', 'releases', 0, 'version']` as `spec.releases[0].version`. */
export function fieldName(path: FieldPath): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

/**
 * Parses every document of a file; empty ones are left out.
 * @throws SealiftError InvalidInput naming line and column when the text is not YAML, or holds no document
 */
export function parseYamlDocuments(file: string, bytes: Uint8Array): YamlDocument[] {
  const text = decodeText(file, bytes);
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents: YamlDocument[] = [];
  for (const document of 'empty' in parsed ? [] : parsed) {
    const [error] = document.errors;
    if (error !== undefined) throw inputError({ file, ...linePosition(lines, error.pos[0]) }, error.message);
    const located = locatedDocument(file, document, lines);
    if (located.value !== null) documents.push(located);
  }
  if (documents.length === 0) throw inputError({ file, line: 1, column: 1 }, 'the file holds no YAML document');
  return documents;
}

/**
 * Checks a document, or the part of it at `path`, against a schema.
 * @throws SealiftError InvalidInput with file, line, column and the path of the first field that does not fit
 */
export function readShape<T>(document: YamlDocument, schema: z.ZodType<T>, path: FieldPath = []): T {
  const result = schema.safeParse(valueAt(document.value, path));
  if (result.success) return result.data;
  const [issue, ...others] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const field = [...path, ...(issue?.path ?? []), ...unknown];
  const missing = valueAt(document.value, field) === undefined;
  const message = missing ? 'is missing' : (issue?.message ?? 'does not fit');
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw inputError(document.positionOf(field), `${message}${more}`);
}

function locatedDocument(file: string, document: Document, lines: LineCounter): YamlDocument {
  function positionOf(path: FieldPath): SpecPosition {
    const field = fieldName(path);
    const { offset } = nodeAt(document, path);
    return { file, ...linePosition(lines, offset), ...(field === '' ? {} : { field }) };
  }
  function textOf(path: FieldPath): string | undefined {
    const { node } = nodeAt(document, path);
    return isScalar(node) ? node.source : undefined;
  }
  try {
    return { file, value: document.toJS(), positionOf, textOf };
  } catch (cause) {
    // toJS counts how far aliases multiply: the one way in which a small file can become a huge value.
    const message = cause instanceof Error ? cause.message : String(cause);
    throw inputError(positionOf([]), message, { cause });
  }
}

function linePosition(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** The node at `path`, aliases followed, and where it begins; without such a node the offset is that of the nearest one around. */
function nodeAt(document: Document, path: FieldPath): { node: Node | undefined; offset: number } {
  let node = followed(document, document.contents);
  let offset = node?.range?.[0] ?? 0;
  for (const key of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      next = pair?.value;
      if (isScalar(pair?.key)) offset = pair.key.range?.[0] ?? offset;
    } else if (isSeq(node)) {
      next = node.items[Number(key)];
      offset = (next as Node | undefined)?.range?.[0] ?? offset;
    }
    node = followed(document, next);
    if (node === undefined) break;
  }
  return { node, offset };
}

function followed(document: Document, node: unknown): Node | undefined {
  if (node === undefined || node === null) return undefined;
  return isAlias(node) ? node.resolve(document) : (node as Node);
}

/** What is at `path` of plain data; undefined when there is nothing. */
export function valueAt(value: unknown, path: FieldPath): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}
