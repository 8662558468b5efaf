const MARKUP = Symbol('markup');

/**
 * Text for HTML and inline SVG. Only what a template in this program says literally is markup; every value put into one is
 * made visible and escaped, and a value that is markup already must be of type `Html`, which only `escaped` makes.
 */
export interface Html {
  readonly [MARKUP]: string;
}

export type Shown =
  string | number | bigint | Html | undefined | readonly (string | number | bigint | Html | undefined)[];

/** Template tag: escapes what is put in. Attribute values must stand in double quotes. */
export function escaped(literals: TemplateStringsArray, ...values: readonly Shown[]): Html {
  let out = literals[0] ?? '';
  for (const [index, value] of values.entries()) out += markupOf(value) + (literals[index + 1] ?? '');
  return { [MARKUP]: out };
}

/** The finished text. */
export const markup = (value: Html): string => value[MARKUP];

/** Markup written in this program, such as the style sheet. Never for anything that was read. */
export const literalMarkup = (text: string): Html => ({ [MARKUP]: text });

/** Evidence text cut to a length of its own; see `visible`. */
export const shown = (text: string, maxChars: number): Html => ({
  [MARKUP]: escapeText(visible(text, maxChars)),
});

function markupOf(value: Shown): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return escapeText(visible(value, SHOWN_MAX_CHARS));
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return MARKUP in value ? value[MARKUP] : value.map(markupOf).join('');
}

/** Longest text shown in one place; longer ones end in a count of what was cut. */
export const SHOWN_MAX_CHARS = 2400;
const MARKS_MAX = 3;

/**
 * Characters that show nothing, or change how others are shown: control, format (with all bidirectional marks), private
 * use, separators of lines, invisible letters, variation selectors; and the bracket that names them.
 */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\ufffe\uffff\u27e8]|\p{Variation_Selector}|\u034f|\u17b4|\u17b5/gu;
const STACKED = new RegExp(`(\\p{M}{${MARKS_MAX}})(\\p{M}+)`, 'gu');

/**
 * Evidence text as it can be shown: what cannot be seen is written as `⟨U+202E⟩`, marks stacked on one letter end after
 * three, and what is longer than `maxChars` ends in `… [n more characters]`.
 */
export function visible(text: string, maxChars: number): string {
  // A character takes at most two code units: nothing beyond this window is shown.
  const characters = Array.from(wellFormed(text.slice(0, 2 * maxChars + 2)));
  const cut = text.length > 2 * maxChars + 2 || characters.length > maxChars;
  const kept = cut ? characters.slice(0, maxChars).join('') : characters.join('');
  const shown = kept
    .replace(UNSEEN, named)
    .replace(STACKED, (_, first: string, rest: string) => first + Array.from(rest, named).join(''));
  return cut ? `${shown} … [${text.length - kept.length} more characters]` : shown;
}

const wellFormed = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');

const named = (character: string): string =>
  `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

const escapeText = (text: string): string =>
  text.replace(/[&<>"'`]/g, (character) => ESCAPES[character] ?? '');
