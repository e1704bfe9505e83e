import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fieldName, parseYamlDocuments, readShape, type YamlDocument } from './yaml-documents.ts';

function parse(text: string): YamlDocument[] {
  return parseYamlDocuments('f.yaml', new TextEncoder().encode(text));
}

function first(text: string): YamlDocument {
  const [document] = parse(text);
  if (document === undefined) throw new Error('no document');
  return document;
}

describe('parseYamlDocuments', () => {
  it('reads several documents, JSON too, and skips empty ones', () => {
    expect(parse('---\na: 1\n---\n---\n{"b": [2]}\n').map((document) => document.value)).toEqual([
      { a: 1 },
      { b: [2] },
    ]);
  });

  it.each([
    ['a: [1\n', 'f.yaml:2:1'],
    ['ok: 1\n---\na: 1\na: 2\n', 'f.yaml:4:1'],
    ['a:\n\tb: 1\n', 'f.yaml:2:1'],
    ['', 'f.yaml:1:1'],
    ['# only a comment\n', 'f.yaml:1:1'],
  ])('blames the place in %j', (text, subject) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ type: 'InvalidInput', problem: expect.objectContaining({ subject }) }),
    );
  });

  it('names the line that is not UTF-8', () => {
    const bytes = new Uint8Array([0x61, 0x3a, 0x20, 0x31, 0x0a, 0x62, 0x3a, 0x20, 0xff, 0x0a]);
    expect(() => parseYamlDocuments('f.yaml', bytes)).toThrow(
      expect.objectContaining({ problem: expect.objectContaining({ subject: 'f.yaml:2' }) }),
    );
  });
});

describe('positionOf', () => {
  it('finds keys and entries in every document, with any line ends', () => {
    const [, second] = parse('a: 1\r\n---\r\nlist:\r\n  - x: 1\r\n  - x: 2\r\n    y: {z: 3}\r\n');
    expect(second?.positionOf(['list', 1])).toEqual({ file: 'f.yaml', line: 5, column: 5, field: 'list[1]' });
    expect(second?.positionOf(['list', 1, 'y', 'z'])).toMatchObject({ line: 6, column: 9, field: 'list[1].y.z' });
  });

  it('answers with the nearest field around one that is missing', () => {
    expect(first('a:\n  b: 1\n').positionOf(['a', 'c', 'd'])).toMatchObject({ line: 1, column: 1, field: 'a.c.d' });
  });

  it('follows aliases to where the value was written', () => {
    expect(first('base: &base\n  x: 1\nuse: *base\n').positionOf(['use', 'x'])).toMatchObject({ line: 2, column: 3 });
  });
});

describe('readShape', () => {
  const shape = z.object({ versions: z.array(z.object({ version: z.string() })).min(1) });

  it.each([
    [
      'versions:\n  - version: 1.30\n',
      'f.yaml:2:5',
      'versions[0].version: Invalid input: expected string, received number',
    ],
    ['versions:\n  - {}\n', 'f.yaml:2:5', 'versions[0].version: is missing'],
    ['other: 1\n', 'f.yaml:1:1', 'versions: is missing'],
    ['versions:\n  - {}\n  - {}\n', 'f.yaml:2:5', 'versions[0].version: is missing (and 1 more)'],
    ['text\n', 'f.yaml:1:1', 'Invalid input: expected object, received string'],
  ])('says what is wrong in %j, and where', (text, subject, message) => {
    expect(() => readShape(first(text), shape)).toThrow(
      expect.objectContaining({ type: 'InvalidInput', problem: expect.objectContaining({ subject, message }) }),
    );
  });

  it('writes paths as people do', () => {
    expect(fieldName(['spec', 'releases', 0, 'version'])).toBe('spec.releases[0].version');
    expect(fieldName([])).toBe('');
  });
});
