import { slug } from './import-rule.ts';

interface Wanted {
  readonly id: string;
  /** Of the Sigma rule, a UUID. */
  readonly sigmaId: string | undefined;
}

/**
 * An id for each rule, none twice. Of those that want the same, each with a Sigma id gets part of it behind the id, whatever
 * the order of the files; `undefined` for what nothing tells apart from an earlier one.
 */
export function uniqueIds(wanted: readonly Wanted[]): (string | undefined)[] {
  const counts = new Map<string, number>();
  for (const { id } of wanted) counts.set(id, (counts.get(id) ?? 0) + 1);
  const isAlone = ({ id }: Wanted) => counts.get(id) === 1;
  // Those that are alone keep their id: a longer one of another must not push them out.
  const taken = new Set(wanted.filter(isAlone).map(({ id }) => id));
  const seen = new Set<string>();
  return wanted.map((each) => {
    if (isAlone(each)) return each.id;
    const own = `${each.id}\n${each.sigmaId ?? ''}`;
    if (seen.has(own)) return undefined;
    seen.add(own);
    const id = candidates(each).find((candidate) => !taken.has(candidate));
    if (id !== undefined) taken.add(id);
    return id;
  });
}

const idChars = 64;
const sigmaIdChars = 36;

/** With the first eight characters of the Sigma id, else with all of it. */
function candidates({ id, sigmaId = '' }: Wanted): string[] {
  const parts = [8, sigmaIdChars].map((chars) => slug(slug(sigmaId).slice(0, chars)));
  if (parts[0] === '') return [id];
  return parts.map((part) => `${slug(id.slice(0, idChars - 1 - part.length))}-${part}`);
}
