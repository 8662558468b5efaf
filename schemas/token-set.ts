/**
 * Grammar of a token set: each fingerprint as four bytes, big-endian, one behind the other; the bytes as base64url without
 * padding (RFC 4648 §5). So 3 tokens are 12 bytes and 16 characters. The order is that of appearance.
 */
const BYTES_PER_TOKEN = 4;

/** Token set text of these fingerprints (signed or unsigned 32-bit integers). */
export function encodeTokens(tokens: ArrayLike<number>): string {
  const bytes = Buffer.allocUnsafe(tokens.length * BYTES_PER_TOKEN);
  for (let index = 0; index < tokens.length; index++)
    bytes.writeInt32BE((tokens[index] ?? 0) | 0, index * BYTES_PER_TOKEN);
  return bytes.toString('base64url');
}

/** The fingerprints as signed 32-bit integers. Takes any text (it may come from a sender): what is no whole token is left out. */
export function decodeTokens(text: string): Int32Array {
  const bytes = Buffer.from(text, 'base64url');
  const tokens = new Int32Array(Math.floor(bytes.length / BYTES_PER_TOKEN));
  for (let index = 0; index < tokens.length; index++)
    tokens[index] = bytes.readInt32BE(index * BYTES_PER_TOKEN);
  return tokens;
}
