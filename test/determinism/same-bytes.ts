/** One thing at one place, as named bytes or text. */
export interface Placed {
  /** Where it is, in words; unique within a run. */
  readonly place: string;
  readonly columns: Readonly<Record<string, string | Uint8Array>>;
}

/**
 * The first place where two runs are not the same, in words, or `undefined` when every place holds the same bytes in
 * the same order.
 */
export function firstDifference(expected: readonly Placed[], actual: readonly Placed[]): string | undefined {
  for (let index = 0; index < Math.max(expected.length, actual.length); index += 1) {
    const [wanted, found] = [expected[index], actual[index]];
    if (wanted === undefined) return `${found?.place ?? ''}: nothing was expected after ${expected.length}`;
    if (found === undefined) return `${wanted.place}: missing, there are only ${actual.length}`;
    if (wanted.place !== found.place) return `${wanted.place}: in its stead ${found.place}`;
    const names = new Set([...Object.keys(wanted.columns), ...Object.keys(found.columns)]);
    for (const name of names) {
      const at = differsAt(wanted.columns[name], found.columns[name]);
      if (at !== undefined) return `${wanted.place}: ${name} differs at byte ${at}`;
    }
  }
  return undefined;
}

function differsAt(a: string | Uint8Array = '', b: string | Uint8Array = ''): number | undefined {
  const [left, right] = [Buffer.from(a as string), Buffer.from(b as string)];
  if (left.equals(right)) return undefined;
  const at = left.findIndex((byte, index) => byte !== right[index]);
  return at === -1 ? left.length : at;
}
