const NAMES = [
  ...['passw(?:or)?d', 'passphrase', 'token', 'private[-_]?key', 'access[-_]?key', 'key[-_]?data'],
  ...['api[-_]?key', 'codec[-_]?key', 'client[-_]?secret', 'secret[-_]?key'],
].join('|');
/** Names of fields, variables and options whose value is a secret; `auth` is Docker's `user:password` in base64. */
const SECRET_NAME = new RegExp(`(?:${NAMES}|^auth)$`, 'i');

/** Whether what has this name is a secret. @param name of a field, a variable, an option, e.g. `--password` */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A value in quotes, in quotes within a JSON text, or bare; what begins a list or an object is none. */
const VALUE = String.raw`(?:\\"([^"\\\n]*)\\"|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|(?![{[|>\\])([^\s"',;}\])]+))`;
/** `password: x`, `"token":"x"`, `PASSWORD=x`, `password = "x"` */
const ASSIGNED = new RegExp(String.raw`([\w.-]*?(?:${NAMES}|\bauth)\\?["']?\s*[:=]\s*)${VALUE}`, 'gi');
/** `--password x` */
const OPTION = new RegExp(String.raw`(--[\w-]*(?:${NAMES})[ \t]+)${VALUE}`, 'gi');
/** RFC 3986, userinfo */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:"']*:)([^\s/@"']+)(?=@)/gi;
/** RFC 7617 and RFC 6750 */
const AUTHORIZATION = /(\b[Bb]asic\s+|\b[Bb]earer\s+)((?=[a-z]*[A-Z0-9+/=_.~-])[A-Za-z0-9+/=_.~-]{8,})/g;
/** RFC 7519 */
const JSON_WEB_TOKEN = /()(\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)/g;
/** kubernetes.io, "Authenticating with Bootstrap Tokens" */
const BOOTSTRAP_TOKEN = /()\b([a-z0-9]{6}\.[a-z0-9]{16})\b/g;
/** RFC 7468 */
const PRIVATE_KEY = /()(-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))/g;

const byForm = [PRIVATE_KEY, URL_PASSWORD, AUTHORIZATION, JSON_WEB_TOKEN, BOOTSTRAP_TOKEN, OPTION, ASSIGNED] as const;

/** What a text says to be secret by how it is written. */
export function findSecretsIn(text: string): string[] {
  return byForm.flatMap((form) => [...text.matchAll(form)].map(valueOf).filter((value) => !isNone(value)));
}

/** The text without that. @param mark what stands there instead */
export function removeSecretsFrom(text: string, mark: string): string {
  return byForm.reduce(
    (cleaned, form) =>
      cleaned.replace(form, (whole: string, before: string, ...rest: unknown[]) =>
        // the last two are position and text
        isNone(valueOf([whole, before, ...rest.slice(0, -2)])) ? whole : before + mark,
      ),
    text,
  );
}

function valueOf([, , ...groups]: readonly unknown[]): string {
  return groups.find((group): group is string => typeof group === 'string') ?? '';
}

/** What is no value, or was taken out already. */
function isNone(value: string): boolean {
  return /^(|null|nil|true|false|none|\*+)$/i.test(value);
}
