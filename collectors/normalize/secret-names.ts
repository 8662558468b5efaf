/** Name parts that make the value a secret whatever it looks like. */
const SECRET_PARTS = new Set([
  ...['password', 'passwd', 'pwd', 'passphrase', 'passcode', 'passwort', 'secret', 'secrets', 'cvv', 'cvc'],
  ...['authorization', 'cookie', 'cookies', 'credential', 'credentials', 'apikey', 'privatekey', 'bearer'],
  ...[
    'accesskey',
    'secretkey',
    'authtoken',
    'accesstoken',
    'refreshtoken',
    'csrf',
    'xsrf',
    'jwt',
    'otp',
    'ssn',
  ],
]);
/** `key` is secret only after one of these: `api_key` is, `sort_key` is not. */
const KEY_QUALIFIERS = new Set([
  ...['api', 'private', 'secret', 'access', 'encryption', 'signing', 'account', 'master', 'ssh', 'auth'],
  ...['subscription', 'license', 'shared', 'service', 'client'],
]);
/** Last parts that say the value is about a secret and is none. */
const ABOUT_PARTS = new Set([
  ...[
    'policy',
    'count',
    'length',
    'type',
    'expiry',
    'expires',
    'ttl',
    'name',
    'url',
    'uri',
    'endpoint',
    'field',
  ],
  ...[
    'required',
    'enabled',
    'usage',
    'limit',
    'budget',
    'max',
    'min',
    'path',
    'file',
    'class',
    'strength',
    'label',
  ],
]);
const PAGING_PARTS = new Set(['page', 'next', 'continuation', 'pagination', 'cursor', 'progress', 'sync']);

/** What every secret name contains: text without it holds no secret name. Escapes may spell anything. */
export const SECRET_NAME_HINT =
  /pass|pwd|secret|token|key|authoriz|bearer|cookie|credential|cvv|cvc|csrf|xsrf|jwt|otp|ssn|\\u/i;

const NAME_CHARS_MAX = 128;
const CACHE_MAX = 4096;
const known = new Map<string, boolean>();

/** Whether a JSON key, header, form field or variable of this name holds a secret. */
export function isSecretName(name: string): boolean {
  const cached = known.get(name);
  if (cached !== undefined) return cached;
  const answer = decide(name.length > NAME_CHARS_MAX ? name.slice(-NAME_CHARS_MAX) : name);
  if (name.length <= NAME_CHARS_MAX) {
    // Senders choose names: the cache starts over rather than grow.
    if (known.size >= CACHE_MAX) known.clear();
    known.set(name, answer);
  }
  return answer;
}

function decide(name: string): boolean {
  if (!SECRET_NAME_HINT.test(name)) return false;
  const parts = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== '');
  const last = parts.at(-1);
  if (last === undefined || ABOUT_PARTS.has(last)) return false;
  if (parts.some((part) => SECRET_PARTS.has(part) || /(?:password|passwd|secret|apikey)$/.test(part)))
    return true;
  if (last === 'token') return !parts.some((part) => PAGING_PARTS.has(part));
  if (last !== 'token' && parts.at(-2) === 'token' && last === 'value') return true;
  return last === 'key' && KEY_QUALIFIERS.has(parts.at(-2) ?? '');
}
