import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { SealiftError } from '../core/errors.ts';

const ENCODING = Buffer.from('binary/encrypted');
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

type PayloadMessage = typeof temporal.api.common.v1.Payload;

/**
 * Encrypts payloads with AES-256-GCM, as a second layer: no payload of Sealift holds a secret in the first place. Payloads
 * that are not encrypted pass through when read, so that it can be switched on at any time.
 */
export function encryptingCodec(key: Uint8Array, message: PayloadMessage): PayloadCodec {
  const keyId = Buffer.from(createHash('sha256').update(key).digest('hex').slice(0, 16));
  return {
    encode: (payloads) => each(payloads, (payload) => encrypt(key, keyId, payload, message)),
    decode: (payloads) =>
      each(payloads, (payload) => (isEncrypted(payload) ? decrypt(key, payload, message) : payload)),
  };
}

/** The codecs that SEALIFT_CODEC_KEY (64 hex digits) asks for. @throws SealiftError InvalidInput when it is something else */
export async function payloadCodecs(env: NodeJS.ProcessEnv): Promise<PayloadCodec[]> {
  const key = env['SEALIFT_CODEC_KEY'];
  if (key === undefined || key === '') return [];
  if (/^[0-9a-fA-F]{64}$/.test(key)) {
    const { default: proto } = await import('@temporalio/proto');
    return [encryptingCodec(Buffer.from(key, 'hex'), proto.temporal.api.common.v1.Payload)];
  }
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read',
    subject: 'SEALIFT_CODEC_KEY',
    message: 'it is not a key of 32 bytes',
    remedy: 'set it to 64 hexadecimal digits, e.g. from `openssl rand -hex 32`',
  });
}

function encrypt(key: Uint8Array, keyId: Uint8Array, payload: Payload, message: PayloadMessage): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const plain = message.encode(payload).finish();
  const data = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: ENCODING, 'encryption-key-id': keyId }, data };
}

function decrypt(key: Uint8Array, payload: Payload, message: PayloadMessage): Payload {
  const data = Buffer.from(payload.data!);
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
  const plain = Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES)), decipher.final()]);
  return message.decode(plain);
}

function isEncrypted(payload: Payload): boolean {
  return Buffer.from(payload.metadata?.['encoding'] ?? []).equals(ENCODING);
}

/** What one payload throws rejects the whole. */
function each(payloads: Payload[], act: (payload: Payload) => Payload): Promise<Payload[]> {
  return Promise.resolve(payloads).then((all) => all.map(act));
}
