import { setTimeout as sleep } from 'node:timers/promises';
import type { ActiveRule, Direction } from './fault-rules.ts';

/** Thrown inside a body that a rule resets; the proxy then resets the client's connection. */
export class BodyReset extends Error {}

export interface BodyPath {
  direction: Direction;
  rules: ActiveRule[];
  /** called with the bytes that go on, as they do */
  count: (bytes: number) => void;
  /** aborted when the client is gone or the proxy stops */
  signal: AbortSignal;
}

/** The body as the rules let it through. @throws BodyReset */
export async function* shapeBody(body: AsyncIterable<Buffer>, path: BodyPath): AsyncGenerator<Buffer> {
  const { slow, cut, corrupt } = bodyRules(path);
  let passed = 0;
  for await (const chunk of body) {
    for (const piece of slow === undefined ? [chunk] : piecesOf(chunk, Math.max(1, Math.floor(slow.rate / 20)))) {
      if (slow?.active.strike() === true) await sleep((1000 * piece.length) / slow.rate, undefined, path);
      const room = cut === undefined ? Infinity : cut.afterBytes - passed;
      const through = corrupt === undefined ? piece : flipped(piece, corrupt.at - passed, corrupt.active);
      if (piece.length < room || cut?.active.strike() !== true) {
        passed += piece.length;
        path.count(piece.length);
        yield through;
        continue;
      }
      path.count(room);
      yield through.subarray(0, room);
      if (cut.kind === 'reset') throw new BodyReset(`reset after ${cut.afterBytes} bytes`);
      await sleep(2 ** 31 - 1, undefined, path);
    }
  }
}

interface BodyRules {
  slow?: { active: ActiveRule; rate: number };
  cut?: { active: ActiveRule; kind: 'reset' | 'stall'; afterBytes: number };
  corrupt?: { active: ActiveRule; at: number };
}

function bodyRules({ rules, direction }: BodyPath): BodyRules {
  const found: BodyRules = {};
  for (const active of rules) {
    const { fault } = active.rule;
    if (fault.kind === 'corrupt' && direction === 'down') found.corrupt = { active, at: fault.at };
    if (!('direction' in fault) || fault.direction !== direction) continue;
    if (fault.kind === 'slow') found.slow = { active, rate: fault.bytesPerSecond };
    else found.cut = { active, kind: fault.kind, afterBytes: fault.afterBytes };
  }
  return found;
}

function* piecesOf(chunk: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size);
}

function flipped(chunk: Buffer, at: number, active: ActiveRule): Buffer {
  const byte = chunk[at];
  if (byte === undefined || !active.strike()) return chunk;
  const copy = Buffer.from(chunk);
  copy[at] = byte ^ 0xff;
  return copy;
}
