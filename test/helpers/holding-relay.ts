import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay on loopback that lets a number of bytes through, so that what is cut off behind it was really under way. */
export interface HoldingRelay extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  host: string;
  /** whether it has begun to hold bytes back; cheap, for kill conditions */
  held(): boolean;
  /** Ends what is held, and holds nothing from now on. */
  release(): void;
}

/**
 * Starts it in front of a server on loopback; TLS goes through as it is.
 * @param direction whose bytes count and are held: `up` to the server, `down` from it
 */
export async function startHoldingRelay(
  port: number,
  hold: { direction: 'up' | 'down'; afterBytes: number },
): Promise<HoldingRelay> {
  const sockets = new Set<Socket>();
  let passed = 0;
  let holding = true;
  const pass = (from: Socket, to: Socket, counted: boolean): void => {
    from.on('data', (chunk: Buffer) => {
      if (counted) passed += chunk.length;
      if (counted && holding && passed > hold.afterBytes) from.pause();
      else if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.once('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    from.on('error', () => to.destroy());
    sockets.add(from);
  };
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    pass(client, upstream, hold.direction === 'up');
    pass(upstream, client, hold.direction === 'down');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  const end = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    host: `127.0.0.1:${address.port}`,
    held: () => holding && passed > hold.afterBytes,
    release: () => {
      holding = false;
      end();
    },
    [Symbol.asyncDispose]: async () => {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
