import type { SealiftHost } from '../../contracts/host.ts';
import type { CommandContext } from '../context.ts';
import { connect, temporalPlace, type Session, type TemporalPlace } from './session.ts';

/** The machine, and a Temporal that is up. */
export interface Opening {
  host: SealiftHost;
  place: TemporalPlace;
}

/**
 * Finds or starts Temporal while a command's heavy code is loaded: both take a few tenths of a second.
 *
 * @param load an `import()`
 */
export async function openWhileLoading<T>(context: CommandContext, load: () => Promise<T>): Promise<[Opening, T]> {
  const host = await context.host();
  const opening = temporalPlace(host.server, context.terminal.env, (line) => context.status().note(line));
  const [place, loaded] = await Promise.all([opening, load()]);
  return [{ host, place }, loaded];
}

/** Runs `act` with a connection and closes it. */
export async function withSession<T>(opening: Opening, act: (session: Session) => Promise<T>): Promise<T> {
  const session = await connect(opening.place, await opening.host.payloadCodecs());
  try {
    return await act(session);
  } finally {
    await session.close();
  }
}
