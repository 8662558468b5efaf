const ENTRIES_MAX = 4_096;

/**
 * Remembers what was worked out for a key. Forgets everything when full: what it gives is a function of the key alone, so
 * only time depends on it.
 */
export function boundedMemo<T>(entriesMax = ENTRIES_MAX): (key: string, workOut: () => T) => T {
  const known = new Map<string, T>();
  return (key, workOut) => {
    if (known.has(key)) return known.get(key) as T;
    const value = workOut();
    if (known.size >= entriesMax) known.clear();
    known.set(key, value);
    return value;
  };
}
