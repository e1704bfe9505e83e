import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, hexOf, isDigest } from './digest.ts';
import { formatReference, parseReference } from './reference.ts';

const digest = digestOf(Buffer.from('x'));

describe('parseReference', () => {
  it.each([
    ['nginx', { host: 'docker.io', repository: 'library/nginx', tag: 'latest' }],
    ['nginx:1.25', { host: 'docker.io', repository: 'library/nginx', tag: '1.25' }],
    ['grafana/loki', { host: 'docker.io', repository: 'grafana/loki', tag: 'latest' }],
    ['docker.io/nginx', { host: 'docker.io', repository: 'library/nginx', tag: 'latest' }],
    ['index.docker.io/a/b:c', { host: 'docker.io', repository: 'a/b', tag: 'c' }],
    ['localhost/a', { host: 'localhost', repository: 'a', tag: 'latest' }],
    ['localhost:5000/a:b', { host: 'localhost:5000', repository: 'a', tag: 'b' }],
    ['[::1]:5000/a:b', { host: '[::1]:5000', repository: 'a', tag: 'b' }],
    ['public.ecr.aws/l0g8r8j6/x/y:v0.1_a', { host: 'public.ecr.aws', repository: 'l0g8r8j6/x/y', tag: 'v0.1_a' }],
    [`r.example/a@${digest}`, { host: 'r.example', repository: 'a', digest }],
    [`r.example:80/a:t@${digest}`, { host: 'r.example:80', repository: 'a', tag: 't', digest }],
  ])('reads %s', (text, reference) => expect(parseReference(text)).toEqual(reference));

  it.each([
    '',
    ':tag',
    'https://r.example/a',
    'r.example/',
    'r.example/A',
    'r.example/a//b',
    'r.example/a/',
    'r.example/-a',
    'r.example/a___b',
    'r.example/a:',
    'r.example/a:.b',
    `r.example/a:${'t'.repeat(129)}`,
    'r.example/a@sha256:12',
    `r.example/a@sha512:${'a'.repeat(128)}`,
    `r.example/a@${digest}@${digest}`,
    'r.example:99999/a',
    'r..example/a',
    `r.example/${'a'.repeat(250)}`,
    'a b',
    'r.example/a\n',
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ type: 'InvalidInput' }) as Error);
  });

  it('gives back what formatReference wrote', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?$/);
    const host = fc
      .tuple(label, label, fc.option(fc.integer({ min: 1, max: 65535 })))
      .map(([a, b, port]) => `${a}.${b}${port === null ? '' : `:${port}`}`);
    const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);
    const bytes = fc.uint8Array({ maxLength: 8 }).map(digestOf);
    const reference = fc.record(
      {
        host,
        repository: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
        tag,
        digest: bytes,
      },
      { requiredKeys: ['host', 'repository', 'tag'] },
    );
    fc.assert(
      fc.property(reference, (value) => {
        expect(parseReference(formatReference(value))).toEqual(value);
      }),
    );
  });

  it('throws nothing but InvalidInput', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9./:@_[\]-]{0,40}$/));
    fc.assert(
      fc.property(text, (value) => {
        try {
          expect(parseReference(formatReference(parseReference(value)))).toEqual(parseReference(value));
        } catch (error) {
          expect(error).toMatchObject({ type: 'InvalidInput' });
        }
      }),
    );
  });
});

describe('digests', () => {
  it('are sha256 in lower-case hex', () => {
    expect(digestOf(new Uint8Array())).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(hexOf(digest)).toHaveLength(64);
    expect(isDigest(digest)).toBe(true);
    expect(isDigest(digest.toUpperCase())).toBe(false);
    expect(isDigest(undefined)).toBe(false);
  });
});
