/** What collectors found in a payload, by type. */
type Found = Readonly<Record<string, number>> | undefined;

/** `secret` opens doors; `identity` harms whom it is about; `contact` is in every mail. */
export type DataClass = 'secret' | 'identity' | 'contact';

const contacts = new Set(['email', 'phone', 'phone_number', 'address', 'ip_address', 'pii']);
const identities = new Set([
  'iban',
  'payment_card',
  'us_ssn',
  'ssn',
  'passport',
  'national_id',
  'tax_id',
  'date_of_birth',
  'health',
]);
/** What redaction could not look into: nothing is known of it. */
const unknown = new Set(['depth']);

/** Class of a type of finding. What is not known as personal is a secret: most types are kinds of keys. */
export function dataClassOf(type: string): DataClass | undefined {
  if (unknown.has(type)) return undefined;
  if (contacts.has(type)) return 'contact';
  return identities.has(type) ? 'identity' : 'secret';
}

/** How many pieces of these classes were found. */
export function countFound(found: Found, ...classes: readonly DataClass[]): number {
  let count = 0;
  for (const type in found) {
    const dataClass = dataClassOf(type);
    if (dataClass !== undefined && classes.includes(dataClass)) count += found[type] ?? 0;
  }
  return count;
}

const noTypes: readonly string[] = [];

/** Types of these classes that were found, sorted. */
export function typesFound(found: Found, ...classes: readonly DataClass[]): readonly string[] {
  if (found === undefined) return noTypes;
  return Object.keys(found)
    .filter((type) => {
      const dataClass = dataClassOf(type);
      return dataClass !== undefined && classes.includes(dataClass) && (found[type] ?? 0) > 0;
    })
    .sort();
}

/** `2 aws_key, 1 jwt`; at most six types. */
export function foundText(found: Found, types: readonly string[]): string {
  const texts = types.slice(0, 6).map((type) => `${found?.[type] ?? 0} ${type}`);
  return types.length > 6 ? `${texts.join(', ')} and ${types.length - 6} other types` : texts.join(', ');
}
