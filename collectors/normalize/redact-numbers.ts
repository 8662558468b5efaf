import type { Replace } from './redact.ts';

/** Payment card numbers: known issuer and length, Luhn check digit, groups joined by single spaces or hyphens. */
export function redactCards(text: string, replace: Replace): string {
  // A run starts at a digit that continues no other run; group starts inside it are tried one by one below.
  return text.replace(/(?<![\d.])(?<!\d[ -])\d+(?:[ -]\d+)*(?!\.?\d)/g, (run, offset: number) =>
    run.length < 13 || isInsideId(text, offset, run.length) ? run : cardsInRun(run, replace),
  );
}

/** Longest surrounding text looked at: an id is a UUID or a hex digest of at most 128 characters. */
const ID_MAX_CHARS = 128;
const UUID_OR_HEX_ID =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{16,128})$/i;

/** One UUID in thirty has digit groups that make a card number by chance; ids must survive redaction. */
function isInsideId(text: string, offset: number, length: number): boolean {
  const isIdChar = (index: number) => /[0-9a-z-]/i.test(text.charAt(index));
  let start = offset;
  while (start > 0 && offset - start < ID_MAX_CHARS && isIdChar(start - 1)) start--;
  let end = offset + length;
  while (end < text.length && end - offset < ID_MAX_CHARS && isIdChar(end)) end++;
  return UUID_OR_HEX_ID.test(text.slice(start, end));
}

function cardsInRun(run: string, replace: Replace): string {
  let out = '';
  let position = 0;
  while (position < run.length) {
    const length = cardLengthAt(run, position);
    if (length > 0) {
      out += replace('payment_card');
      position += length;
      continue;
    }
    // To the start of the next group.
    let next = position + 1;
    while (next < run.length && !isSeparator(run, next - 1)) next++;
    out += run.slice(position, next);
    position = next;
  }
  return out;
}

/** Length in the text of the card number that starts here and ends where a group ends; 0 if there is none. */
function cardLengthAt(run: string, start: number): number {
  let digits = '';
  for (let index = start; index < run.length && digits.length <= 19; index++) {
    if (isSeparator(run, index)) continue;
    digits += run.charAt(index);
    const groupEnds = index + 1 === run.length || isSeparator(run, index + 1);
    if (groupEnds && digits.length >= 13 && isCard(digits)) return index + 1 - start;
  }
  return 0;
}

const isSeparator = (run: string, index: number) => run[index] === ' ' || run[index] === '-';

function isCard(digits: string): boolean {
  const issuer =
    /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|4[4-9]\d|5\d\d)\d{12}|62\d{14,17})$/;
  return issuer.test(digits) && luhn(digits);
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Length of an IBAN by country (ISO 13616 registry). */
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 ' +
    'FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 ' +
    'LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 ' +
    'SK24 SM27 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((item) => [item.slice(0, 2), Number(item.slice(2))]),
);

/** IBANs: known country and length, mod-97 check (ISO 7064), in one piece or in groups of four. */
export function redactIbans(text: string, replace: Replace): string {
  return text.replace(/(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}/g, (found) => {
    const length = IBAN_LENGTHS.get(found.slice(0, 2)) ?? 0;
    let end = 0;
    for (let count = 0; end < found.length && count < length; end++) if (found[end] !== ' ') count++;
    const iban = found.slice(0, end).replaceAll(' ', '');
    const next = found[end];
    if (iban.length !== length || (next !== undefined && next !== ' ') || mod97(iban) !== 1) return found;
    return replace('iban') + found.slice(end);
  });
}

function mod97(iban: string): number {
  let remainder = 0;
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder;
}

/** US social security numbers in their hyphenated form only: nine bare digits are too many other things. */
export function redactSsns(text: string, replace: Replace): string {
  return text.replace(/(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g, () =>
    replace('us_ssn'),
  );
}
