import { REMOVED, type SecretValues } from './secret-values.ts';
import { removeSecretsFrom } from './text-secrets.ts';

/** Takes out of text what is known to be secret, and what looks like it. */
export function redactText(text: string, secrets: SecretValues): string {
  return removeSecretsFrom(secrets.removeFrom(text), REMOVED);
}

/** As JSON, two spaces deep, with every text in it, names of fields included, redacted; valid JSON. */
export function redactedJson(value: unknown, secrets: SecretValues): string {
  const text = `${JSON.stringify(redactTexts(value, secrets), undefined, 2)}\n`;
  // what only comes about by writing it down, e.g. escapes and brackets that together are a secret
  return secrets.removeFrom(text);
}

function redactTexts(value: unknown, secrets: SecretValues): unknown {
  if (typeof value === 'string') return redactText(value, secrets);
  if (typeof value === 'number') {
    const text = String(value);
    return secrets.removeFrom(text) === text ? value : REMOVED;
  }
  if (Array.isArray(value)) return value.map((item) => redactTexts(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [secrets.removeFrom(name), redactTexts(field, secrets)]);
  return Object.fromEntries(fields) as unknown;
}
