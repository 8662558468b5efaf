/**
 * Why a regular expression may not run over attacker-controlled text; `undefined` when its cost is bounded. Matching is
 * backtracking, so what is refused is what makes backtracking explode: repetition inside repetition, choice inside
 * unbounded repetition, references back and looking around, and more unbounded repetitions than a text of 2 KiB
 * bears (each multiplies the cost by the length of the text; an anchor saves one).
 */
export function regexProblem(pattern: string): string | undefined {
  if (pattern.length > 512) return 'it is longer than 512 characters';
  if (/\\[1-9k]/.test(pattern)) return 'it refers back to a group';
  if (/\(\?(?!:)/.test(pattern))
    return 'it looks around, names a group or sets a flag; only (?: ) is allowed';
  try {
    new RegExp(pattern);
  } catch {
    return 'it is not a valid regular expression';
  }
  return costProblem(pattern);
}

const countMax = 64;
/** Ways to match that backtracking may try at one place: choices, options and ranges multiply. */
const waysMax = 1024;
const waysMaxWhenUnbounded = 64;

interface Group {
  /** Something in it repeats, with or without a bound. */
  repeats: boolean;
  isUnbounded: boolean;
  choices: number;
  ways: number;
}

const newGroup = (): Group => ({ repeats: false, isUnbounded: false, choices: 1, ways: 1 });

function costProblem(pattern: string): string | undefined {
  const whole = newGroup();
  const groups: Group[] = [whole];
  let unboundedCount = 0;
  let closed: Group | undefined;
  for (const [token] of pattern.matchAll(tokens)) {
    const group = groups.at(-1);
    if (group === undefined) return 'its groups do not match';
    const repeat = repeatOf(token);
    if (repeat === undefined) {
      closed = undefined;
      if (token.startsWith('(')) groups.push(newGroup());
      if (token === '|') group.choices += 1;
      if (token === ')') closed = closeGroup(groups);
      continue;
    }
    const problem = repeatProblem(repeat, closed);
    if (problem !== undefined) return problem;
    group.repeats = true;
    if (repeat.max === Infinity) {
      unboundedCount += 1;
      group.isUnbounded = true;
    } else {
      group.ways *= (repeat.max - repeat.min + 1) * (closed?.ways ?? 1) ** Math.max(0, repeat.max - 1);
    }
  }
  const bound = pattern.startsWith('^') && whole.choices === 1 ? 2 : 1;
  if (unboundedCount > bound)
    return `it has ${unboundedCount} unbounded repetitions, and ${bound} is the limit (2 when it begins with ^): split it, or use glob()`;
  const ways = whole.ways * whole.choices;
  return ways > (unboundedCount === 0 ? waysMax : waysMaxWhenUnbounded)
    ? 'it has too many choices'
    : undefined;
}

function closeGroup(groups: Group[]): Group | undefined {
  const closed = groups.pop();
  const parent = groups.at(-1);
  if (closed === undefined || parent === undefined) return closed;
  closed.ways *= closed.choices;
  parent.ways *= closed.ways;
  parent.repeats ||= closed.repeats;
  parent.isUnbounded ||= closed.isUnbounded;
  return closed;
}

function repeatProblem(repeat: { readonly max: number }, closed: Group | undefined): string | undefined {
  if (repeat.max !== Infinity && repeat.max > countMax) return `it repeats more than ${countMax} times`;
  if (repeat.max === 1 || closed === undefined) return undefined;
  if (closed.isUnbounded || (repeat.max === Infinity && closed.repeats)) return 'it repeats what repeats';
  return repeat.max === Infinity && closed.choices > 1
    ? 'it repeats a choice without end; write [ab]* for (a|b)*'
    : undefined;
}

/** A class, an escape, a group's begin, a repetition, or one character. */
const tokens = /\[(?:\\.|[^\]\\])*\]|\\.|\(\?:|\{\d+(?:,\d*)?\}\??|[*+?]\??|[^]/g;

function repeatOf(token: string): { readonly min: number; readonly max: number } | undefined {
  if (token.startsWith('?')) return { min: 0, max: 1 };
  if (/^[*+]/.test(token)) return { min: 0, max: Infinity };
  const [, min, comma, max] = /^\{(\d+)(,?)(\d*)\}/.exec(token) ?? [];
  if (min === undefined) return undefined;
  if (comma === '') return { min: Number(min), max: Number(min) };
  return { min: Number(min), max: max === '' ? Infinity : Number(max) };
}
