import { mkdir } from 'node:fs/promises';
import { requireTool } from './paths.ts';
import { runOk } from './processes.ts';

/** A signing key in a keyring of its own. */
export interface SigningKey {
  /** what gpg knows it by */
  name: string;
  /** for whoever signs with it */
  env: { GNUPGHOME: string };
  /** Ends the agent that gpg has started. */
  stop(): Promise<void>;
}

/** Makes a key without a passphrase. @param folder for the keyring; not there yet */
export async function generateSigningKey(folder: string): Promise<SigningKey> {
  await mkdir(folder, { mode: 0o700 });
  const name = 'sealift-test@example.test';
  const env = { GNUPGHOME: folder };
  const all = { PATH: process.env['PATH'] ?? '', ...env };
  const args = ['--batch', '--passphrase', '', '--quick-generate-key', name, 'ed25519', 'sign', 'never'];
  await runOk(await requireTool('gpg'), args, { env: all });
  const stop = async (): Promise<void> => {
    await runOk('gpgconf', ['--kill', 'gpg-agent'], { env: all }).catch(() => undefined);
  };
  return { name, env, stop };
}
