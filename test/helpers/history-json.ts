import proto from '@temporalio/proto';
import type { History } from '@temporalio/common/lib/proto-utils.js';

const { History: Type } = proto.temporal.api.history.v1;

// The SDK's own historyToJSON and historyFromJSON (1.24.0) refuse their own types when npm gives @temporalio/common and
// @temporalio/proto a protobufjs each ("type must be a Type"). This form is nearly theirs: only times are written otherwise.

export function historyToText(history: History): string {
  return JSON.stringify(Type.toObject(Type.fromObject(history), { longs: String, enums: String, bytes: String }));
}

export function historyFromText(text: string): History {
  return Type.fromObject(JSON.parse(text) as Record<string, unknown>);
}

/** The same with payloads decoded: for reading, and for looking for what may not be in there. */
export function readableHistory(history: History): string {
  // not JSON.stringify(history): messages have a toJSON of their own, which leaves payloads in base64
  return JSON.stringify(JSON.parse(historyToText(history)), (key, value: unknown) =>
    key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : value,
  );
}
