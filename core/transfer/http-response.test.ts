import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError, ResponseParser, type ResponseHead } from './http-response.ts';

interface Parsed {
  heads: ResponseHead[];
  body: string;
  done: boolean;
  reusable: boolean;
}

/** What a parser makes of these pieces, and then of the end of the connection. */
function parse(pieces: (string | Buffer)[], closed = false): Parsed {
  const heads: ResponseHead[] = [];
  let body = '';
  const parser = new ResponseParser((head) => {
    heads.push(head);
    return (chunk) => (body += chunk.toString('latin1'));
  });
  for (const piece of pieces) parser.push(Buffer.isBuffer(piece) ? piece : Buffer.from(piece, 'latin1'));
  if (closed) parser.end();
  return { heads, body, done: parser.done, reusable: parser.reusable };
}

const responses = {
  sized: 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: 1\r\nx-a:  2 \r\n\r\nhello\r\n\r\n!!',
  empty: 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n',
  noContent: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  notModified: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n6;ext="a;b"\r\n world\r\n0\r\n\r\n',
  trailers: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nB\r\nhello world\r\n000\r\nDigest: a\r\nX: b\r\n\r\n',
  interim:
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
} as const;

const bodies: Record<keyof typeof responses, string> = {
  sized: 'hello\r\n\r\n!!',
  empty: '',
  noContent: '',
  notModified: '',
  chunked: 'hello world',
  trailers: 'hello world',
  interim: 'ok',
};

describe('ResponseParser', () => {
  it.each(Object.keys(responses) as (keyof typeof responses)[])('reads %s in one piece', (name) => {
    const parsed = parse([responses[name]]);
    expect(parsed).toMatchObject({ body: bodies[name], done: true, reusable: true });
    expect(parsed.heads).toHaveLength(1);
  });

  it.each(Object.keys(responses) as (keyof typeof responses)[])('reads %s split at every byte', (name) => {
    const text = responses[name];
    const whole = parse([text]);
    expect(parse([...text])).toEqual(whole);
    for (let at = 1; at < text.length; at += 1) {
      expect(parse([text.slice(0, at), text.slice(at)]), `split after ${at} bytes`).toEqual(whole);
    }
  });

  it('joins repeated headers and lowers their names', () => {
    expect(parse([responses.sized]).heads[0]).toEqual({
      status: 200,
      headers: { 'content-length': '11', 'x-a': '1, 2' },
    });
  });

  it('reads any body in any framing cut anywhere', () => {
    const cuts = fc.array(fc.nat(), { maxLength: 8 });
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(chunks, cuts, fc.constantFrom('sized', 'chunked', 'until-close'), (parts, places, framing) => {
        const content = Buffer.concat(parts);
        const bytes = framed(parts, framing);
        const edges = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const pieces = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
        const parsed = parse(pieces, framing === 'until-close');
        expect(parsed.body).toBe(content.toString('latin1'));
        expect(parsed.done).toBe(true);
        expect(parsed.reusable).toBe(framing !== 'until-close');
      }),
    );
  });

  it('never does anything but parse or throw ProtocolError', () => {
    const line = fc.constantFrom(
      'HTTP/1.1 200 OK',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
      '',
      '3',
      'abc',
      '0',
    );
    const noise = fc.oneof(
      line.map((text) => `${text}\r\n`),
      fc.string({ maxLength: 20 }),
    );
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 20 }), (pieces) => {
        try {
          const { heads } = parse(pieces, true);
          expect(heads.length).toBeLessThanOrEqual(1);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  it('hands body bytes on without copying them', () => {
    const bytes = Buffer.from(responses.sized);
    const seen: Buffer[] = [];
    new ResponseParser(() => (chunk) => seen.push(chunk)).push(bytes);
    expect(seen.map((chunk) => chunk.buffer)).toEqual([bytes.buffer]);
  });

  it.each([
    ['a body until the connection closes', 'HTTP/1.1 200 OK\r\n\r\npart', true],
    ['a sized body that is cut', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart', false],
    [
      'a chunked body without its last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
      false,
    ],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le', false],
    ['nothing', '', false],
  ])('the end of the connection after %s', (_what, text, complete) => {
    expect(parse([text], true)).toMatchObject({ done: complete, reusable: false });
  });

  it.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 with keep-alive', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', true],
    ['bytes after the response', `${responses.empty}HTTP/1.1 200 OK`, false],
  ])('%s decides about reuse', (_what, text, reusable) => {
    expect(parse([text])).toMatchObject({ done: true, reusable });
  });

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['TLS', Buffer.from([21, 3, 1, 0, 2, 2, 70, 13, 10, 13, 10])],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['an absurd length', `HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(30)}\r\n\r\n`],
    ['no chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    ['an absurd chunk size', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n`],
    ['a chunk longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n'],
    ['a chunk line without end', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(5000)}`],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
    ['a head that is too long', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`],
  ])('refuses %s', (_what, bytes) => {
    expect(() => parse([bytes])).toThrow(ProtocolError);
    expect(() => parse([...Buffer.from(bytes as string, 'latin1')].map((byte) => Buffer.from([byte])))).toThrow(
      ProtocolError,
    );
  });

  it('takes a head of nearly 64 KiB', () => {
    expect(parse([`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_000)}\r\nContent-Length: 1\r\n\r\n!`]).body).toBe('!');
  });

  it('passes on what the sink throws', () => {
    const parser = new ResponseParser(() => () => {
      throw new RangeError('enough');
    });
    expect(() => parser.push(Buffer.from(responses.sized))).toThrow(RangeError);
  });
});

function framed(parts: Uint8Array[], framing: string): Buffer {
  const head = (line: string): Buffer => Buffer.from(`HTTP/1.1 200 OK\r\n${line}\r\n`);
  if (framing === 'until-close') return Buffer.concat([head(''), ...parts]);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (framing === 'sized') return Buffer.concat([head(`Content-Length: ${length}\r\n`), ...parts]);
  const chunks = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
  return Buffer.concat([head('Transfer-Encoding: chunked\r\n'), ...chunks, Buffer.from('0\r\n\r\n')]);
}
