import type { Environment } from '@marcbachmann/cel-js';

/** What conditions may call: bounded work, no clock, nothing that grows with what it is given more than once. */
export const allowedFunctions: ReadonlySet<string> = new Set([
  ...['has', 'size', 'exists', 'all', 'exists_one', 'filter', 'map'],
  ...['startsWith', 'endsWith', 'contains', 'matches', 'lowerAscii', 'upperAscii', 'trim', 'indexOf'],
  ...['substring', 'string', 'int', 'double', 'dyn', 'glob', 'inCidr'],
]);

export const macros: ReadonlySet<string> = new Set(['exists', 'all', 'exists_one', 'filter', 'map']);

export function registerRuleFunctions(env: Environment): void {
  env.registerFunction('string.glob(string): bool', (text: string, pattern: string) => glob(text, pattern));
  env.registerFunction('string.inCidr(string): bool', (address: string, block: string) =>
    inCidr(address, block),
  );
}

/** `*` any characters, `?` one, `\` takes the next literally; the whole text, ASCII case ignored. At most |text| · |pattern| steps. */
export function glob(text: string, pattern: string): boolean {
  const subject = text.toLowerCase();
  const tokens = globTokens(pattern.toLowerCase());
  let at = 0;
  let token = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < subject.length) {
    const expected = tokens[token];
    if (expected !== undefined && (expected === 'any one' || expected === subject.charAt(at))) {
      at += 1;
      token += 1;
    } else if (expected === 'any') {
      starToken = token;
      starAt = at;
      token += 1;
    } else if (starToken >= 0) {
      starAt += 1;
      at = starAt;
      token = starToken + 1;
    } else {
      return false;
    }
  }
  while (tokens[token] === 'any') token += 1;
  return token === tokens.length;
}

function globTokens(pattern: string): string[] {
  const tokens: string[] = [];
  for (let index = 0; index < pattern.length; index += 1) {
    const char = pattern.charAt(index);
    if (char === '\\' && index + 1 < pattern.length) tokens.push(pattern.charAt((index += 1)));
    else tokens.push(char === '*' ? 'any' : char === '?' ? 'any one' : char);
  }
  return tokens;
}

/** Whether the address is in the block, such as `10.0.0.0/8` or `fd00::/8`; false for anything that is no address. */
export function inCidr(address: string, block: string): boolean {
  const [base = '', bits = ''] = block.split('/');
  const network = addressBits(base);
  const own = addressBits(address.replace(/^\[(.*)\]$/, '$1'));
  if (network === undefined || own?.width !== network.width || !/^\d{1,3}$/.test(bits)) return false;
  const shift = BigInt(Math.max(0, network.width - Number(bits)));
  return Number(bits) <= network.width && own.value >> shift === network.value >> shift;
}

/** Whether the text is a block that `inCidr` knows. */
export function isCidr(block: string): boolean {
  const [base = ''] = block.split('/');
  return inCidr(base, block);
}

function addressBits(text: string): { readonly width: number; readonly value: bigint } | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const parts = text.split('.').map(Number);
    if (parts.some((part) => part > 255)) return undefined;
    return { width: 32, value: parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) };
  }
  if (!/^[0-9a-f:]{2,39}$/i.test(text) || !text.includes(':')) return undefined;
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  if (all.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return { width: 128, value: all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n) };
}
