const WINDOW_MS = 10_000;

export interface RateMeter {
  /**
   * Notes how many bytes were done at a moment (milliseconds of any clock).
   * @returns bytes a second over the last ten seconds; undefined until that can be told
   */
  sample(now: number, bytes: number): number | undefined;
}

/** Measures speed over a sliding window. What was done before the first sample does not count; a count that falls starts anew. */
export function createRateMeter(): RateMeter {
  let samples: { at: number; bytes: number }[] = [];
  return {
    sample(now, bytes) {
      const last = samples.at(-1);
      if (last !== undefined && bytes < last.bytes) samples = [];
      samples.push({ at: now, bytes });
      while (samples.length > 2 && (samples[1]?.at ?? now) <= now - WINDOW_MS) samples.shift();
      const first = samples[0];
      return first === undefined || now <= first.at ? undefined : ((bytes - first.bytes) * 1000) / (now - first.at);
    },
  };
}
