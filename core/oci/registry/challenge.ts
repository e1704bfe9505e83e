/** One challenge of a WWW-Authenticate header (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** lower-case, e.g. `bearer` */
  scheme: string;
  /** names lower-case */
  parameters: Record<string, string>;
}

const TOKEN_CHARACTERS = "!#$%&'*+.^_`|~0-9A-Za-z-";
const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
// Unquoted values are tokens, but some servers leave URLs and scopes unquoted.
const PARAMETER = new RegExp(`^([${TOKEN_CHARACTERS}]+)\\s*=\\s*(?:${QUOTED}|([/:${TOKEN_CHARACTERS}]+))`);
const SCHEME = new RegExp(`^([${TOKEN_CHARACTERS}]+)(?=\\s|,|$)`);

/**
 * Reads a WWW-Authenticate header with any number of challenges; commas inside quotes (as in `scope="...:pull,push"`) do
 * not separate. What cannot be read ends the list.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header.trim();
  while (rest !== '') {
    const parameter = PARAMETER.exec(rest);
    const current = challenges.at(-1);
    const scheme = parameter === null ? SCHEME.exec(rest) : null;
    if (parameter !== null && current !== undefined) {
      current.parameters[parameter[1]!.toLowerCase()] = parameter[2]?.replace(/\\(.)/g, '$1') ?? parameter[3]!;
    } else if (scheme !== null) {
      challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters: {} });
    } else {
      break;
    }
    rest = rest.slice((parameter ?? scheme)![0].length).replace(/^[\s,]+/, '');
  }
  return challenges;
}
