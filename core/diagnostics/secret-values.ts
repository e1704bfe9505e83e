import { encodedForms, SHORTEST_FORM } from './encoded-forms.ts';
import { findSecretsIn } from './text-secrets.ts';

/** What stands where a secret stood. */
export const REMOVED = '***';

/** Shorter ones are words that occur everywhere, e.g. `true` and `admin`: they are only taken out where they stand. */
const SHORTEST_VALUE = 6;
/** Of a value with many lines, e.g. a key or cloud-init: each line that says enough to be known again is a secret too. */
const SHORTEST_LINE = 16;
/** Base64 of a configuration that holds base64 of a kubeconfig that holds base64 of a key. */
const MAX_DEPTH = 6;
const PEM_FRAME = /^-----(BEGIN|END) [A-Z ]+-----$/;

/** All values that are known to be secret, to be taken out of text wherever they occur in it, in the usual encodings too. */
export class SecretValues {
  readonly #seen = new Set<string>();
  /** forms by how they begin: one look-up at each position of a text, however many secrets there are */
  readonly #byStart = new Map<string, Set<string>>();

  /**
   * A value and what is within it: its lines, what it says in base64, passwords in a configuration that it is.
   * @param shortest shorter values are not looked for
   */
  add(value: string, shortest = SHORTEST_VALUE, depth = MAX_DEPTH): void {
    const trimmed = value.trim();
    if (trimmed.length < shortest || this.#seen.has(trimmed)) return;
    this.#seen.add(trimmed);
    for (const form of encodedForms(trimmed)) this.#keep(form);
    if (depth === 0) return;
    const lines = trimmed.split('\n').map((line) => line.trim());
    if (lines.length > 1) {
      for (const line of lines) if (line.length >= SHORTEST_LINE && !PEM_FRAME.test(line)) this.#keep(line);
    }
    const decoded = decodedText(trimmed);
    if (decoded !== undefined) {
      this.add(decoded, shortest, depth - 1);
      // RFC 7617: user-id and password
      const [, password] = /^[^\s:/]+:(\S+)$/.exec(decoded) ?? [];
      if (password !== undefined) this.add(password, SHORTEST_FORM, depth - 1);
    }
    this.learn(trimmed, depth - 1);
  }

  /** The secrets in a configuration that is none itself, e.g. a kubeconfig or Docker's. */
  learn(text: string, depth = MAX_DEPTH): void {
    for (const found of findSecretsIn(text)) this.add(found, SHORTEST_FORM, Math.max(depth, 0));
  }

  /** The text without any of the values; those that overlap are taken out together. */
  removeFrom(text: string): string {
    let cleaned = '';
    let kept = 0;
    let start = -1;
    let end = 0;
    for (let at = 0; at + SHORTEST_FORM <= text.length; at += 1) {
      const length = this.#lengthAt(text, at);
      if (length === 0) continue;
      if (start === -1 || at > end) {
        if (start !== -1) {
          cleaned += text.slice(kept, start) + REMOVED;
          kept = end;
        }
        start = at;
      }
      end = Math.max(end, at + length);
    }
    return start === -1 ? text : cleaned + text.slice(kept, start) + REMOVED + text.slice(end);
  }

  /** Characters of the longest secret that begins there; 0 when none does. */
  #lengthAt(text: string, at: number): number {
    let longest = 0;
    for (const form of this.#byStart.get(text.slice(at, at + SHORTEST_FORM)) ?? []) {
      if (form.length > longest && text.startsWith(form, at)) longest = form.length;
    }
    return longest;
  }

  #keep(form: string): void {
    const start = form.slice(0, SHORTEST_FORM);
    const forms = this.#byStart.get(start) ?? new Set();
    this.#byStart.set(start, forms.add(form));
  }
}

/** What base64 says, when that is text. */
function decodedText(value: string): string | undefined {
  if (!/^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(value)) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'base64'));
    return /[^\P{Cc}\n\r\t]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
