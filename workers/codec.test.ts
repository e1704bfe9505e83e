import { describe, expect, it } from 'vitest';
import { payloadCodecs } from './codec.ts';

const key = '0f'.repeat(32);
const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"registry.example"') };

async function codecOf(text: string) {
  const [codec] = await payloadCodecs({ SEALIFT_CODEC_KEY: text });
  return codec!;
}

describe('payloadCodecs', () => {
  it('is off without a key', async () => {
    expect(await payloadCodecs({})).toEqual([]);
  });

  it('gives back what it encrypted, and never the same bytes twice', async () => {
    const codec = await codecOf(key);
    const [first] = await codec.encode([payload]);
    const [second] = await codec.encode([payload]);
    expect(Buffer.from(first!.data!).includes('registry.example')).toBe(false);
    expect(Buffer.from(first!.data!)).not.toEqual(Buffer.from(second!.data!));
    const [decoded] = await codec.decode([first!]);
    expect(Buffer.from(decoded!.data!).toString()).toBe('"registry.example"');
    expect(Buffer.from(decoded!.metadata!['encoding']!).toString()).toBe('json/plain');
  });

  it('passes through what was written before it was switched on', async () => {
    expect(await (await codecOf(key)).decode([payload])).toEqual([payload]);
  });

  it('refuses altered payloads and those of another key', async () => {
    const [encrypted] = await (await codecOf(key)).encode([payload]);
    const altered = Buffer.from(encrypted!.data!);
    altered[altered.length - 20]! ^= 1;
    await expect((await codecOf(key)).decode([{ ...encrypted!, data: altered }])).rejects.toThrow();
    await expect((await codecOf('1e'.repeat(32))).decode([encrypted!])).rejects.toThrow();
  });

  it('names a key that is none', async () => {
    await expect(payloadCodecs({ SEALIFT_CODEC_KEY: 'secret' })).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(payloadCodecs({ SEALIFT_CODEC_KEY: 'secret' })).rejects.not.toThrow(/secret/);
  });
});
