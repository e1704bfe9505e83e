/** Characters of the shortest text that is looked for. */
export const SHORTEST_FORM = 4;
/** Longer values are no passwords: they occur as they are or as a whole, and their lines are secrets by themselves. */
const LONGEST_ENCODED = 4096;

/**
 * How a value may be written: as it is, in JSON and Go's JSON, in URLs, in hexadecimal digits, in base64 (RFC 4648) by itself and
 * anywhere within something longer, such as `user:password`.
 */
export function encodedForms(value: string): Set<string> {
  const inJson = JSON.stringify(value).slice(1, -1);
  const forms = [value, inJson, JSON.stringify(inJson).slice(1, -1), forGo(inJson), ...base64Forms(value, [0])];
  if (value.length <= LONGEST_ENCODED) {
    const inUrl = forUrl(value);
    forms.push(inUrl, encodeURI(wellFormed(value)), strictly(inUrl), strictly(inUrl).replaceAll('%20', '+'));
    forms.push(Buffer.from(value).toString('hex'), ...base64Forms(value, [1, 2]));
  }
  return new Set(forms.filter(({ length }) => length >= SHORTEST_FORM));
}

/** Go's encoding/json writes what HTML would take for markup as escapes. */
function forGo(inJson: string): string {
  return inJson.replace(/[<>&]/g, (found) => `\\u00${found.charCodeAt(0).toString(16)}`);
}

function forUrl(value: string): string {
  return encodeURIComponent(wellFormed(value));
}

/** What encodeURIComponent leaves and RFC 3986 reserves. */
function strictly(inUrl: string): string {
  return inUrl.replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Half of a surrogate pair has no bytes. */
function wellFormed(value: string): string {
  return Buffer.from(value).toString('utf8');
}

/** Base64 of the value after so many bytes of something else: only the characters that the value alone decides. */
function base64Forms(value: string, shifts: readonly number[]): string[] {
  return shifts.flatMap((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)]);
    const first = Math.ceil((shift * 8) / 6);
    const last = Math.floor((bytes.length * 8) / 6);
    const encoded = bytes.toString('base64').slice(first, last);
    return [encoded, encoded.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
