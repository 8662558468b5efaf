import type { EventKind } from '../../../schemas/event.ts';
import { isObject, type JsonObject } from '../../../schemas/json-object.ts';
import { isKnownReference } from '../reference-families.ts';
import { detectionCondition } from './detection.ts';
import { SigmaError } from './sigma-error.ts';

/** A Sigma rule read: what a rule of ours is made of. */
export interface SigmaRule {
  readonly name: string | undefined;
  readonly uuid: string | undefined;
  readonly header: RuleHeader;
  readonly kinds: readonly EventKind[];
  readonly condition: string;
  /** What has no place in a rule of ours. */
  readonly notes: readonly string[];
}

export interface RuleHeader {
  readonly id: string;
  readonly title: string;
  readonly version: 1;
  readonly description: string;
  readonly severity: string;
  readonly maturity: string;
  readonly references: Readonly<Record<'owasp' | 'atlas' | 'attack' | 'saf', readonly string[]>>;
  readonly false_positives: readonly string[];
}

/** Services of `product: mcp` and the kinds of events they are. */
export const services: Readonly<Record<string, readonly EventKind[]>> = {
  tool_call: ['tool_call'],
  tool_registry: ['tool_list', 'registry'],
  auth: ['auth'],
  policy: ['policy'],
  session: ['session'],
};

/** @throws SigmaError that names what is not supported. */
export function readSigmaRule(document: JsonObject): SigmaRule {
  const { header, notes } = readHeader(document);
  return {
    name: textAt(document, 'name'),
    uuid: textAt(document, 'id'),
    header,
    kinds: kindsOf(document['logsource'], notes),
    condition: detectionCondition(document['detection']),
    notes,
  };
}

const titleChars = 200;

const carried = new Set([
  ...['title', 'id', 'name', 'status', 'description', 'references', 'tags', 'falsepositives', 'level'],
  ...['logsource', 'detection', 'correlation', 'generate', 'author', 'license', 'taxonomy'],
]);

/** What rules and correlations have in common. */
export function readHeader(document: JsonObject): { readonly header: RuleHeader; readonly notes: string[] } {
  const title = textAt(document, 'title');
  if (title === undefined) throw new SigmaError('title', 'it is missing');
  if (document['taxonomy'] !== undefined && document['taxonomy'] !== 'sigma')
    throw new SigmaError('taxonomy', 'only the sigma taxonomy is known');
  const { ids, others } = readTags(document['tags']);
  const notes = Object.keys(document)
    .filter((key) => !carried.has(key))
    .map((key) => `${key} has no place in a rule and was left out`);
  if (title.length > titleChars) notes.push(`the title was cut to ${titleChars} characters`);
  const said: (readonly [string, string | undefined])[] = [
    ['Sigma rule', textAt(document, 'id')],
    ['author', textAt(document, 'author')],
    ['license', textAt(document, 'license')],
    ['tags', others.join(', ')],
    ['references', listAt(document, 'references').join(' ')],
  ];
  const origin = said.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}: ${value}`],
  );
  const description = [textAt(document, 'description')?.trim() ?? title, ...origin].join('\n');
  if (description.length > 2048)
    throw new SigmaError('description', 'with references and tags it is too long');
  const header: RuleHeader = {
    id: idOf(document, title),
    title: title.slice(0, titleChars),
    version: 1,
    description,
    severity: severityOf(document['level']),
    maturity: maturityOf(document['status'], notes),
    references: ids,
    false_positives: listAt(document, 'falsepositives'),
  };
  return { header, notes };
}

function kindsOf(logsource: unknown, notes: string[]): readonly EventKind[] {
  if (!isObject(logsource)) throw new SigmaError('logsource', 'it is missing');
  const { product, service, category, definition, ...others } = logsource;
  if (product !== 'mcp') throw new SigmaError('logsource.product', 'only mcp is known');
  if (category !== undefined)
    throw new SigmaError('logsource.category', 'product mcp has services, no categories');
  const [other] = Object.keys(others);
  if (other !== undefined) throw new SigmaError(`logsource.${other}`, 'it is not supported');
  if (definition !== undefined) notes.push('logsource.definition has no place in a rule and was left out');
  if (service === undefined) return Object.values(services).flat();
  const kinds =
    typeof service === 'string' && Object.hasOwn(services, service) ? services[service] : undefined;
  if (kinds === undefined)
    throw new SigmaError('logsource.service', `it must be one of ${Object.keys(services).join(', ')}`);
  return kinds;
}

function severityOf(level: unknown): string {
  if (level === undefined) return 'medium';
  if (level === 'informational') return 'info';
  if (typeof level === 'string' && ['low', 'medium', 'high', 'critical'].includes(level)) return level;
  throw new SigmaError('level', 'it must be informational, low, medium, high or critical');
}

function maturityOf(status: unknown, notes: string[]): string {
  switch (status) {
    case undefined:
    case 'experimental':
      return 'experimental';
    case 'stable':
      notes.push('status stable became maturity test: a stable rule has cases of its own');
      return 'test';
    case 'test':
      return 'test';
    default:
      throw new SigmaError('status', 'only stable, test and experimental rules are imported');
  }
}

function readTags(tags: unknown): {
  readonly ids: RuleHeader['references'];
  readonly others: readonly string[];
} {
  const ids = { owasp: [] as string[], atlas: [] as string[], attack: [] as string[], saf: [] as string[] };
  const others: string[] = [];
  const list: readonly unknown[] = tags === undefined ? [] : Array.isArray(tags) ? tags : [tags];
  for (const tag of list) {
    if (typeof tag !== 'string') throw new SigmaError('tags', 'a tag is text');
    const lower = tag.toLowerCase();
    if (/^attack\.t\d{4}(\.\d{3})?$/.test(lower)) ids.attack.push(lower.slice(7).toUpperCase());
    else if (/^atlas\.aml\.t\d{4}(\.\d{3})?$/.test(lower)) ids.atlas.push(lower.slice(6).toUpperCase());
    else if (/^safe?\.(safe?-)?t\d{4}(\.\d{3})?$/.test(lower))
      ids.saf.push(`SAF-${lower.replace(/^safe?\.(safe?-)?/, '').toUpperCase()}`);
    else if (isKnownReference('owasp', owaspId(lower))) ids.owasp.push(owaspId(lower));
    else others.push(tag);
  }
  return { ids, others };
}

/** `owasp.mcp01-2025` as the catalogue writes it: tags have no colon. */
function owaspId(tag: string): string {
  return tag.startsWith('owasp.') ? tag.slice(6).replace('-', ':').toUpperCase() : '';
}

/** Of the name, else of the title; what has no Latin letter in either is called by its Sigma id. */
function idOf(document: JsonObject, title: string): string {
  const words = [textAt(document, 'name') ?? title, title].map(slug);
  const sigmaId = slug(textAt(document, 'id') ?? '');
  const id =
    words.find((each) => /[a-z]/.test(each)) ??
    (sigmaId === '' ? words.find((each) => each !== '') : slug(`sigma-${sigmaId}`));
  if (id === undefined)
    throw new SigmaError('title', 'no id can be made of it, and the rule has no Sigma id');
  return id;
}

/** Kebab-case words of at most 64 characters; empty when there are none. */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replace(/^-+|-+$/g, '');
}

export function textAt(document: JsonObject, key: string): string | undefined {
  const value = document[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new SigmaError(key, 'it must be text');
  return value;
}

function listAt(document: JsonObject, key: string): string[] {
  const value = document[key];
  if (value === undefined || value === null) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => {
    if (typeof each !== 'string') throw new SigmaError(key, 'it must be a list of texts');
    return each;
  });
}
