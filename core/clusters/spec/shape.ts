import { z } from 'zod';
import type { LocatedDocument, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finding } from '../../../contracts/clusters.ts';
import type { CheckedDocument } from '../../../contracts/provider-plugin.ts';
import { redact } from '../../errors.ts';
import { valueAt } from '../../sources/yaml-documents.ts';
import { nearestWord } from './nearest.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/**
 * Looks at a document through the strict schema of its kind. Everything that is wrong is found at once. What Kubernetes' own
 * readers forgive is put right in the value: a field that is empty counts as absent, and a number or boolean where text belongs
 * is the text that was written.
 * @param schema objects, arrays, records and optional fields only; `z.strictObject` makes unknown fields problems
 * @returns the value as it is meant, absent when a type or required field is wrong
 */
export function checkShape(document: LocatedDocument, schema: z.ZodType): CheckedDocument {
  const value: unknown = structuredClone(document.value);
  const findings: Finding[] = [];
  for (;;) {
    const result = schema.safeParse(value);
    if (result.success) return { value: value as SpecObject, findings };
    const mended = result.error.issues.flatMap((issue) => mend(issue, value, document, schema) ?? []);
    if (mended.length === 0) {
      return { findings: [...findings, ...result.error.issues.map((issue) => wrong(issue, value, document))] };
    }
    findings.push(...mended.flatMap(({ finding }) => finding ?? []));
  }
}

/** Puts the value right where there is no doubt what is meant, or what is to be left out. @returns undefined when there is */
function mend(
  issue: Issue,
  value: unknown,
  document: LocatedDocument,
  schema: z.ZodType,
): { finding?: Finding }[] | undefined {
  const parent = valueAt(value, issue.path.slice(0, -1)) as Record<PropertyKey, unknown>;
  const key = issue.path.at(-1);
  if (issue.code === 'unrecognized_keys') {
    const holder = valueAt(value, issue.path) as Record<string, unknown>;
    return issue.keys.map((unknown) => {
      Reflect.deleteProperty(holder, unknown);
      return { finding: unknownField([...issue.path, unknown], document, knownFields(schema, issue.path)) };
    });
  }
  if (key === undefined || issue.code !== 'invalid_type' || !(key in parent)) return undefined;
  const current = parent[key];
  if (current === null && !Array.isArray(parent)) {
    Reflect.deleteProperty(parent, key);
    return [{}];
  }
  const text = document.textOf(issue.path);
  if (issue.expected !== 'string' || text === undefined || !isNumberOrBoolean(current)) return undefined;
  parent[key] = text;
  return [{ finding: unquoted(issue.path, current, text, document) }];
}

function unknownField(path: Path, document: LocatedDocument, known: readonly string[]): Finding {
  const name = String(path.at(-1));
  const near = nearestWord(name, known);
  const remedy = near === undefined ? remedyFor(known) : `did you mean ${near}?`;
  return finding(document, path, 'problem', 'unknown-field', `there is no such field`, remedy);
}

function remedyFor(known: readonly string[]): string {
  return known.length === 0 ? 'take it out' : `take it out; what can be here: ${known.join(', ')}`;
}

function unquoted(path: Path, current: number | boolean, text: string, document: LocatedDocument): Finding {
  const kind = typeof current === 'number' ? 'number' : 'truth value';
  const message =
    String(current) === text
      ? `it is the ${kind} ${text} where text belongs; it is taken as text`
      : `without quotes YAML reads ${text} as the ${kind} ${String(current)}; it is taken as the text ${text}`;
  return finding(document, path, 'warning', 'unquoted', message, `write "${text}", so that all tools read the same`);
}

function wrong(issue: Issue, value: unknown, document: LocatedDocument): Finding {
  const current = valueAt(value, issue.path);
  if (current === undefined) {
    return finding(document, issue.path, 'problem', 'missing-field', 'it is missing', 'add it');
  }
  if (issue.code === 'invalid_type') {
    const message = `it is ${kindOf(current)}, and has to be ${expectedNames[issue.expected] ?? issue.expected}`;
    const remedy = typeof current === 'string' ? 'take the quotes away, or correct the value' : 'correct it';
    return finding(document, issue.path, 'problem', 'wrong-type', message, remedy);
  }
  if (issue.code === 'invalid_value') {
    const message = `it is ${short(current)}, which is none of the values it can have`;
    return finding(document, issue.path, 'problem', 'wrong-value', message, `use one of ${issue.values.join(', ')}`);
  }
  return finding(
    document,
    issue.path,
    'problem',
    'wrong-value',
    `it is ${short(current)}: ${limitOf(issue)}`,
    'correct it',
  );
}

function limitOf(issue: Issue): string {
  if (issue.code === 'too_small') return `the least is ${issue.minimum}${unitOf(issue.origin)}`;
  if (issue.code === 'too_big') return `the most is ${issue.maximum}${unitOf(issue.origin)}`;
  return issue.message;
}

function unitOf(origin: string): string {
  if (origin === 'array') return ' entries';
  return origin === 'string' ? ' characters' : '';
}

function finding(
  document: LocatedDocument,
  path: Path,
  status: Finding['status'],
  id: string,
  message: string,
  remedy: string,
): Finding {
  const position = document.positionOf(path);
  return { id: `spec.${id}`, status, subject: documentName(document.value), message, remedy, position };
}

/** Kind and name of a document whose shape is not known to be right. */
export function documentName(value: unknown): string {
  const kind = valueAt(value, ['kind']);
  const name = valueAt(value, ['metadata', 'name']);
  const words = [kind, name].filter((word) => typeof word === 'string' || typeof word === 'number');
  return words.length === 0 ? 'document' : words.join(' ');
}

function knownFields(schema: z.ZodType, path: Path): string[] {
  let current: unknown = schema;
  for (const key of path) {
    current = inner(current);
    if (current instanceof z.ZodObject) current = current.shape[String(key)];
    else if (current instanceof z.ZodArray) current = current.element;
    else if (current instanceof z.ZodRecord) current = current.valueType;
  }
  current = inner(current);
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function inner(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? inner(schema.unwrap()) : schema;
}

function isNumberOrBoolean(value: unknown): value is number | boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

const expectedNames: Record<string, string> = {
  string: 'text',
  number: 'a whole number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of fields',
  record: 'a map',
  array: 'a list',
};

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return short(value);
}

/** A value in a message: it may come from anywhere, so it is kept to one short line. */
function short(value: unknown): string {
  const text = redact(JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
