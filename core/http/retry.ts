/** How often one request is made before its failure is handed on. */
export const MAX_TRIES = 3;

/** The longest Retry-After that is waited for in place; longer ones are the caller's to schedule. */
export const MAX_PAUSE_MS = 10_000;

const BASE_DELAY_MS = 200;

/** The pause after a failed try (1, 2, ...): exponential with full jitter, so that parallel callers spread out. Milliseconds. */
export function backoffMs(tries: number): number {
  return BASE_DELAY_MS * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
}

/** Milliseconds that a Retry-After header asks for, as seconds or as an HTTP-date (RFC 9110 section 10.2.3). */
export function retryAfterMs(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Answers that another try may turn into success. */
export function isTransientStatus(status: number): boolean {
  return status === 429 || status === 408 || (status >= 500 && status !== 501 && status !== 505);
}
