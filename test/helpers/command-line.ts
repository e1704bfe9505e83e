import type { LocalWorkers, SealiftHost } from '../../contracts/host.ts';
import type { Terminal } from '../../cli/terminal.ts';

/** A terminal that remembers what was written. */
export interface RecordedTerminal extends Terminal {
  /** everything written to stdout */
  out(): string;
  /** everything written to stderr */
  err(): string;
  /** presses Ctrl-C */
  interrupt(): void;
  /** exit codes of `exitNow` */
  exits: number[];
}

/** @param env nothing of this process's environment is seen but what is given here */
export function recordedTerminal(options: { env?: Record<string, string>; cwd?: string } = {}): RecordedTerminal {
  let out = '';
  let err = '';
  const handlers = new Set<() => void>();
  const exits: number[] = [];
  return {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { HOME: '/nonexistent', ...options.env },
    cwd: options.cwd ?? '/nonexistent',
    onInterrupt(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    exitNow: (code) => exits.push(code),
    out: () => out,
    err: () => err,
    interrupt: () => {
      for (const handler of handlers) handler();
    },
    exits,
  };
}

/** A machine of which only the given parts can be used; every other part throws when it is. */
export function fakeHost(parts: { [Part in keyof SealiftHost]?: Partial<SealiftHost[Part]> }): SealiftHost {
  const absent = (name: string): never => {
    throw new Error(`the test did not expect ${name} to be used`);
  };
  const part = (name: string, given: object): unknown =>
    new Proxy(given, {
      get: (target, key) => (target as Record<PropertyKey, unknown>)[key] ?? absent(`${name}.${String(key)}`),
    });
  const { doctor = (): never => absent('doctor'), payloadCodecs = () => Promise.resolve([]), ...rest } = parts;
  const names = ['paths', 'server', 'workers', 'sources', 'bundles', 'nodeConfigs'] as const;
  const made = Object.fromEntries(names.map((name) => [name, part(name, rest[name] ?? {})]));
  return { ...made, doctor, payloadCodecs } as unknown as SealiftHost;
}

/** Workers of a machine on which none runs in the background and none has died. */
export function quietWorkers(parts: Partial<LocalWorkers>): Partial<LocalWorkers> {
  return {
    hostTaskQueue: () => Promise.resolve('sealift-host-0123456789ab'),
    running: () => Promise.resolve([]),
    isDead: () => Promise.resolve(false),
    ...parts,
  };
}
