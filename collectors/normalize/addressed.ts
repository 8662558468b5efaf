import { findDestinations } from './destinations.ts';
import { leavesOf } from './provenance/text-leaves.ts';

const LEAVES_MAX = 512;
const WORD_CHARS_MAX = 4096;
/** A name with an address, or a short list of them. */
const ADDRESS_LINE_CHARS = 256;

/**
 * Of the destinations in arguments (attacker-controlled), those that a value names by itself: a URL, an address, `Name <address>`,
 * a list of addresses. The others are only mentioned, as in the body of a mail.
 */
export function addressedIn(plain: unknown, digestKey: Uint8Array): ReadonlySet<string> {
  const addressed = new Set<string>();
  for (const { text } of leavesOf(plain, LEAVES_MAX)) {
    const line = text.trim();
    const isWord = line.length <= WORD_CHARS_MAX && !/\s/.test(line);
    const isAddressLine = line.length <= ADDRESS_LINE_CHARS && /^[^.!?\n]*[<,;][^\n]*@[^\n]*$/.test(line);
    if (isWord || isAddressLine) findDestinations(line, digestKey, addressed);
  }
  return addressed;
}
