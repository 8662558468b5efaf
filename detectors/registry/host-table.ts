import { networkOf, parseBlock } from './address.ts';
import { boundedMemo } from './bounded-memo.ts';

/** Values by destination: the longest registered suffix or block that holds it. */
export interface HostTable<T> {
  find(destination: string): T | undefined;
}

/**
 * A rule names a host with everything below it (`example.com`, or `*.example.com`), an address, a block (`10.0.0.0/8`), `*`, or
 * a mailbox as it stands in events. Of rules for the same name `prefer` chooses.
 */
export function hostTable<T>(
  rules: readonly { readonly host: string; readonly value: T }[],
  prefer: (known: T, next: T) => T,
): HostTable<T> {
  const exact = new Map<string, T>();
  const suffixes = new Map<string, T>();
  const blocks = new Map<string, Map<bigint, T>>();
  const put = <K>(table: Map<K, T>, key: K, value: T) => {
    const known = table.get(key);
    table.set(key, known === undefined ? value : prefer(known, value));
  };
  for (const { host, value } of rules) {
    const name = host.toLowerCase();
    const block = parseBlock(name);
    if (block !== undefined) {
      const { widthBits, prefixBits, bits } = block;
      const key = `${widthBits}/${prefixBits}`;
      const table = blocks.get(key) ?? new Map<bigint, T>();
      blocks.set(key, table);
      put(table, bits, value);
    } else if (name.includes('@')) put(exact, name, value);
    else put(suffixes, name.replace(/^\*?\.(?=.)/, '').replace(/\.$/, ''), value);
  }
  const lengths = [...blocks.keys()]
    .map((key) => key.split('/').map(Number))
    .sort(([, a = 0], [, b = 0]) => b - a);

  function ofAddress(destination: string): T | undefined {
    const address = parseBlock(destination);
    if (address === undefined) return undefined;
    for (const [widthBits = 0, prefixBits = 0] of lengths) {
      if (widthBits !== address.widthBits) continue;
      const network = networkOf(address.bits, widthBits, prefixBits);
      const value = blocks.get(`${widthBits}/${prefixBits}`)?.get(network);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  function ofHost(host: string): T | undefined {
    for (let at = 0; at >= 0;) {
      const value = suffixes.get(host.slice(at));
      if (value !== undefined) return value;
      const dot = host.indexOf('.', at);
      at = dot < 0 ? -1 : dot + 1;
    }
    return suffixes.get('*');
  }

  const memo = boundedMemo<T | undefined>();
  return {
    find: (destination) =>
      memo(destination, () => {
        const name = destination.toLowerCase();
        const host = name.slice(name.lastIndexOf('@') + 1).replace(/\.$/, '');
        return exact.get(name) ?? ofAddress(host) ?? ofHost(host);
      }),
  };
}
