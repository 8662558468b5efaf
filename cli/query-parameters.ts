import { ConfigError, InputError } from '../runtime/errors.ts';

/** Values travel percent-encoded in the address of the request, which has a bound. */
const VALUES_MAX_BYTES = 4096;
const NAME = /^[a-z_][a-z0-9_]{0,63}$/;

/** Reads one `--param name=value`; everything after the first `=` is the value. */
export function readParameter(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  const name = at === -1 ? text : text.slice(0, at);
  const refuse = (reason: string) => new ConfigError(`cannot use --param: ${reason}`, { path: '--param' });
  if (!NAME.test(name) || at === -1)
    throw refuse('want name=value, the name of lower-case letters, digits and _');
  if (Object.hasOwn(before, name)) throw refuse(`${name} is given twice`);
  const values = { ...before, [name]: text.slice(at + 1) };
  if (Buffer.byteLength(Object.values(values).join('')) > VALUES_MAX_BYTES)
    throw refuse(`the values are longer than ${VALUES_MAX_BYTES} bytes together`);
  return values;
}

/** Names of what looks like a parameter, `{name:Type}`. For sentences only: what is one is the store's to say. */
export function parameterNames(statement: string): string[] {
  return [
    ...new Set([...statement.matchAll(/\{\s*(\w{1,64})\s*:\s*[A-Za-z]/g)].map(([, name = '']) => name)),
  ];
}

/** What the store said, that a parameter has no value, with the option that gives it one. */
export function valueMissing(
  statement: string,
  given: Readonly<Record<string, string>>,
  cause?: unknown,
): InputError {
  const missing = parameterNames(statement).filter((name) => !Object.hasOwn(given, name));
  const [names, options] = [missing.join(', '), missing.map((name) => `--param ${name}=...`).join(' ')];
  return new InputError(
    'input_invalid',
    missing.length === 0
      ? 'cannot query: a parameter of the statement has no value: give it with --param name=...'
      : `cannot query: the statement has no value for ${names}: add ${options}`,
    { path: '--param', ...(cause === undefined ? {} : { cause }) },
  );
}

/**
 * Parameters as ClickHouse takes them in the address of a request: `param_<name>`, the value escaped as in a field of TSV.
 * Quotes stay: text needs none, and in `['a','b']` they are part of the value.
 */
export function parameterFields(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`param_${name}`, value.replace(/[\\\t\n\r\0]/g, escaped)]),
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' };
const escaped = (character: string) => ESCAPES[character] ?? `\\${character}`;
