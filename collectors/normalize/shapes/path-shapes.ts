import { addShape, type ShapeCounts } from './shape.ts';

/** Text without any of these is no path worth a look. */
const MAY_BE_PATH =
  /\.\.|%2e|\.(?:env|ssh|aws|kube|docker|git-|gnupg|azure|net|npm|py|pg|bash|zsh|ht|pem|pfx|p12|k|j|json|php|dit)|\/etc\/|\/proc\/|\/root\/|id_[rde]|NTDS|[\\/]SAM|gcloud/i;
const PATH_CHARS_MAX = 2048;
/** A dot-dot segment, plain or encoded, once or twice, overlong UTF-8 too. */
const DOT_DOT =
  /(?:^|[\\/=:]|%2f|%5c|%252f)(?:\.\.|%2e%2e|%2e\.|\.%2e|%252e%252e|\.\.%00)(?=[\\/]|%2f|%5c|%252f|%c0%af|;\/|$)/gi;
const ENCODED_OR_DOUBLED = /(?:\.\.|%2e%2e|%252e%252e)(?:%2f|%5c|%252f|%c0%af|;\/)|\.{4}\/\//i;

/** Files that hold secrets: a mention is enough. */
const SECRET_FILES =
  /\/etc\/(?:shadow|gshadow|sudoers)\b|(?:^|[\\/"'\s=])id_(?:rsa|dsa|ecdsa|ed25519)(?!\.pub)\b|\.aws[\\/]credentials\b|\.ssh[\\/](?:id_|authorized_keys|config\b)|\.kube[\\/]config\b|\.docker[\\/]config\.json\b|\.git-credentials\b|\/proc\/(?:self|\d{1,7})\/environ\b|\bNTDS\.dit\b|config[\\/]SAM\b|\.gnupg[\\/]|wp-config\.php\b|\.azure[\\/](?:accessTokens|msal)|gcloud[\\/](?:credentials|application_default)/i;
/** Only where the value is a path: in prose they are topics. */
const SECRET_PATHS =
  /(?:^|[\\/])(?:\.env(?!\.(?:example|sample|template|dist))(?:\.\w{1,32})?|\.netrc|\.npmrc|\.pypirc|\.pgpass|\.bash_history|\.zsh_history|\.htpasswd|credentials\.json|service[-_]account\.json|[\w.-]{1,64}\.(?:pem|pfx|p12|kdbx|keystore|jks))$|^\/etc\/passwd$|^\/root\/\./i;

/** Ways out of a directory, and files that hold secrets, in one value of the arguments. */
export function pathShapes(text: string, into: ShapeCounts): void {
  if (!MAY_BE_PATH.test(text)) return;
  if (SECRET_FILES.test(text.length > PATH_CHARS_MAX ? text.slice(0, PATH_CHARS_MAX) : text))
    addShape(into, 'sensitive_path');
  else if (isPathLike(text) && SECRET_PATHS.test(text.trim())) addShape(into, 'sensitive_path');
  if (text.includes('..') || /%2e/i.test(text)) {
    if (
      isPathLike(text)
        ? leavesItsRoot(text)
        : /(?:\.\.[\\/]){3,32}(?:etc|proc|windows|root|home|var)\b/i.test(text)
    )
      addShape(into, 'path_traversal');
  }
}

/** One line without blanks between words, or a path with blanks in its names. */
function isPathLike(text: string): boolean {
  if (text.length > PATH_CHARS_MAX || /[\n\r]/.test(text)) return false;
  return !/\s/.test(text.trim()) || /^\s*(?:\.{0,2}[\\/]|~[\\/]|[A-Za-z]:[\\/]|file:)/.test(text);
}

/** `../x` leaves, `a/../b` does not; from an absolute path two steps up are no longer a detour. */
function leavesItsRoot(text: string): boolean {
  if (ENCODED_OR_DOUBLED.test(text)) return true;
  const ups = text.match(DOT_DOT)?.length ?? 0;
  if (ups === 0) return false;
  const start = text.trim().replace(/^[a-z][a-z0-9+.-]{0,16}:\/\/[^/\\?#]{0,256}/i, '');
  if (/^[\\/]|^[A-Za-z]:[\\/]/.test(start)) return ups >= 2;
  let depth = 0;
  for (const segment of start.split(/[\\/]/)) {
    if (segment === '..') depth--;
    else if (segment !== '' && segment !== '.') depth++;
    if (depth < 0) return true;
  }
  return ups >= 2;
}
