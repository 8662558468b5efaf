import { grouped } from '../grouped.ts';
import type { SeenCaller } from './traffic.ts';

/** Callers whose ids differ only in a number or another generated part, as one. */
export interface CallerGroup<T extends SeenCaller> {
  /** The id, or a pattern for all. */
  readonly id: string;
  readonly members: readonly T[];
}

/** So many ids of one form are a pattern. */
const PATTERN_MIN = 3;
const GENERATED = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{12,}|\d+/gi;

export function groupCallers<T extends SeenCaller>(callers: readonly T[]): CallerGroup<T>[] {
  const groups: CallerGroup<T>[] = [];
  for (const [form, members] of grouped(callers, ({ name }) => name.replace(GENERATED, '*'))) {
    const ids = grouped(members, ({ name }) => name);
    // A form with no letters of its own would match everybody.
    if (ids.size >= PATTERN_MIN && /[a-z]{2}/i.test(form)) groups.push({ id: form, members });
    else for (const [id, same] of ids) groups.push({ id, members: same });
  }
  // Patterns last: the first entry that matches counts.
  return groups.sort(
    (a, b) => Number(a.id.includes('*')) - Number(b.id.includes('*')) || (a.id < b.id ? -1 : 1),
  );
}
