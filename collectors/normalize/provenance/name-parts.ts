import { encodeTokens } from '../../../schemas/token-set.ts';
import type { SipKey } from './sip-hash.ts';
import { wordTokens } from './words.ts';

/** Parts of names that say nothing about whose it is: of every host, and of mail providers anybody can be with. */
const COMMON = new Set(
  (
    'www com org net edu gov mil int info biz io dev app xyz online site mail email smtp api http https html htm php the and ' +
    'for gmail googlemail outlook hotmail live yahoo icloud proton protonmail gmx aol example test local'
  ).split(' '),
);
const PARTS_MAX = 16;

/** Fingerprints of the words a host or an address is made of: what it shares with a request is no stranger to it. */
export function namePartTokens(written: string, key: SipKey): string | undefined {
  const parts = written
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part.length >= 3 && !COMMON.has(part) && !/^\d+$/.test(part));
  const tokens = wordTokens(parts, key, PARTS_MAX);
  return tokens.length === 0 ? undefined : encodeTokens(tokens);
}
