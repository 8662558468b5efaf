/** Standard base64 (RFC 4648 §4), padded and canonical; `undefined` for anything else, which Node would let pass. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** A SHA-256 hash in base64, or `undefined`. */
export function hashFromBase64(text: string): Buffer | undefined {
  const bytes = fromBase64(text);
  return bytes?.length === 32 ? bytes : undefined;
}
