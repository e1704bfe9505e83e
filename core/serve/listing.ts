/**
 * A page with a link to each name; folders end with a slash. Names come from bundles: both the address and the text are
 * escaped.
 */
export function listingOf(title: string, names: readonly string[]): string {
  const parent = title === '/' ? [] : ['../'];
  const links = [...parent, ...names].map((name) => `<a href="${hrefOf(name)}">${escaped(name)}</a>\n`);
  const heading = escaped(title);
  return `<!DOCTYPE html>\n<html><head><title>${heading}</title></head>\n<body><h1>${heading}</h1><pre>\n${links.join('')}</pre></body></html>\n`;
}

/** `./` keeps a name with a colon from being read as a scheme. */
function hrefOf(name: string): string {
  return name === '../' ? name : `./${name.split('/').map(encodeURIComponent).join('/')}`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
