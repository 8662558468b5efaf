import { hash } from 'node:crypto';

/**
 * UUID (RFC 9562 version 8) from the SHA-256 of the parts, length-prefixed so that no two lists collide by shifting a
 * boundary. The same content always gives the same id.
 */
export function eventId(parts: readonly string[]): string {
  let text = '';
  for (const part of parts) text += `${part.length}:${part}`;
  const hex = hash('sha256', text, 'hex');
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(16), 16) & 3);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
