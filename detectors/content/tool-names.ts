import { boundedMemo } from '../registry/bounded-memo.ts';

/**
 * Letters of other alphabets that look like Latin ones (Unicode TR 39 confusables), as far as they occur in lower-case
 * identifiers, and digits that pass for letters.
 */
const lookAlikes: ReadonlyMap<string, string> = new Map(
  (
    'а:a е:e о:o р:p с:c у:y х:x ѕ:s і:i ј:j ԁ:d һ:h ӏ:l ԛ:q ԝ:w в:b к:k м:m н:h т:t г:r п:n ' +
    'α:a β:b ε:e η:n ι:i κ:k ν:v ο:o ρ:p τ:t υ:u χ:x γ:y ω:w ' +
    'ı:i ɑ:a ɡ:g ɩ:i ʏ:y ո:n ս:u օ:o ց:g հ:h ք:p զ:q 0:o 1:l'
  )
    .split(' ')
    .map((pair): [string, string] => {
      const [from = '', to = ''] = pair.split(':');
      return [from, to];
    }),
);

const foldedNames = boundedMemo<string>();

/** The name as a hasty reader sees it: without case, separators, accents, and letters that only look like others. */
export function foldName(name: string): string {
  return foldedNames(name, () => fold(name));
}

function fold(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}|\p{Cf}/gu, '');
  let folded = '';
  for (const letter of plain) {
    if (/[\s_.:/-]/u.test(letter)) continue;
    folded += lookAlikes.get(letter) ?? letter;
  }
  return folded;
}

/** It holds letters that are not what they look like. */
export function isDisguised(name: string): boolean {
  return /[^\x20-\x7e]/.test(name);
}

/** The two differ by one letter: put in, left out, or another; or two neighbours changed places. */
export function differByOne(one: string, other: string): boolean {
  if (one === other || Math.abs(one.length - other.length) > 1) return false;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  let ends = 0;
  const shorter = Math.min(one.length, other.length) - start;
  while (ends < shorter && one[one.length - 1 - ends] === other[other.length - 1 - ends]) ends += 1;
  const restOne = one.length - start - ends;
  const restOther = other.length - start - ends;
  if (restOne <= 1 && restOther <= 1) return true;
  return (
    restOne === 2 && restOther === 2 && one[start] === other[start + 1] && one[start + 1] === other[start]
  );
}

/** Names of tools in a text look like this; a plain word does not. */
export function isTelling(name: string): boolean {
  return name.length >= 6 && (/[_\-.]/.test(name.slice(1, -1)) || /[a-z][A-Z]/.test(name));
}
