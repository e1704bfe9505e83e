/** One look at a running operation, as the displays draw it. */
export interface ProgressView {
  phase: string;
  paused: boolean;
  parkedCount: number;
  bytesDone: number;
  /** 0 while unknown */
  bytesTotal: number;
  itemsDone: number;
  itemsTotal: number;
  /** what the items are, in the singular; `item` when absent */
  unit?: string;
  /** what moves right now, in bytes; what is waited for where nothing moves */
  current: { subject: string; done: number; total: number }[];
  /** activities that failed and are tried again */
  retrying: { activity: string; attempt: number; message: string }[];
}

export const emptyProgress: ProgressView = {
  phase: 'starting',
  paused: false,
  parkedCount: 0,
  bytesDone: 0,
  bytesTotal: 0,
  itemsDone: 0,
  itemsTotal: 0,
  current: [],
  retrying: [],
};

/** Where a command says how it goes: always stderr, never the result. */
export interface StatusDisplay {
  /** Says one thing, above any live bars. */
  note(line: string): void;
  /** Shows how far the work is; may be called as often as one likes. */
  progress(view: ProgressView): void;
  /** Leaves the last state on the screen; later calls begin below it. */
  end(): void;
}
