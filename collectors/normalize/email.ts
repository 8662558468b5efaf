/** Where an e-mail address lies in a text. */
export interface EmailSpan {
  readonly start: number;
  readonly end: number;
  readonly local: string;
  readonly domain: string;
}

const LOCAL_MAX = 64;
const DOMAIN =
  /(?:[A-Za-z0-9\u00a1-\uffff-]{1,63}\.){1,8}(?:[A-Za-z\u00a1-\uffff]{2,24}|xn--[A-Za-z0-9-]{2,59})/y;

/** The address around the `@` (or `%40`) at this place, if there is one. */
export function emailAt(text: string, at: number, atLength: number): EmailSpan | undefined {
  let start = at;
  while (start > 0 && at - start < LOCAL_MAX && isLocalChar(text.charCodeAt(start - 1))) start--;
  // Escapes end in a letter that would look like part of the address: \nalice@…
  if (start > 0 && text[start - 1] === '\\' && 'nrtbf'.includes(text.charAt(start))) start++;
  while (start < at && text[start] === '.') start++;
  if (start >= at) return undefined;
  DOMAIN.lastIndex = at + atLength;
  const domain = DOMAIN.exec(text)?.[0];
  if (domain === undefined) return undefined;
  return { start, end: at + atLength + domain.length, local: text.slice(start, at), domain };
}

/** Letters, digits and . _ % + - of an address, not the apostrophe, which is a quote far more often; anything beyond ASCII counts as a letter. */
function isLocalChar(code: number): boolean {
  if (code >= 0xa1) return true;
  if (code >= 0x61 && code <= 0x7a) return true;
  if (code >= 0x30 && code <= 0x39) return true;
  if (code >= 0x41 && code <= 0x5a) return true;
  return code === 0x2e || code === 0x5f || code === 0x2d || code === 0x2b || code === 0x25;
}
