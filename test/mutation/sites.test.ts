import { expect, test } from 'vitest';
import { withSwitches } from './sites.ts';

const SOURCE = `
function check(a, b, report) {
  if (a === 1 || b === 2) {
    report('first');
    return undefined;
  }
  const isBoth = a > 0 && b > 0;
  return isBoth ? 'both' : 'one';
}
`;

/** What the function gives with the mutant on. */
function run(site: number, value: boolean | undefined, ...args: readonly number[]) {
  const { text } = withSwitches('check.js', SOURCE, 0);
  const mutant = Object.assign((asked: number) => asked === site, { value });
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the text above, with switches
  const check = new Function('__mutant', `${text}; return check;`) as (of: typeof mutant) => Checked;
  const reports: string[] = [];
  return { result: check(mutant)(...args, (report: string) => reports.push(report)), reports };
}
type Checked = (...args: readonly unknown[]) => string | undefined;

test('every check is a site with what may stand in its place, and with no mutant on nothing changes', () => {
  const { sites } = withSwitches('check.js', SOURCE, 0);
  expect(sites.map(({ text, line, values }) => [text, line, values])).toEqual([
    ['a === 1 || b === 2', 3, [false, true]],
    ['a === 1', 3, [false]],
    ['b === 2', 3, [false]],
    ["report('first')", 4, [undefined]],
    ['a > 0 && b > 0', 7, [false, true]],
    ['a > 0', 7, [true]],
    ['b > 0', 7, [true]],
    ['isBoth', 8, [false, true]],
  ]);
  expect(run(-1, undefined, 1, 5)).toEqual({ result: undefined, reports: ['first'] });
  expect(run(-1, undefined, 3, 4)).toEqual({ result: 'both', reports: [] });
});

test('a mutant takes the place of its check alone', () => {
  expect(run(0, true, 3, 4)).toEqual({ result: undefined, reports: ['first'] });
  expect(run(1, false, 1, 4)).toEqual({ result: 'both', reports: [] });
  expect(run(1, false, 3, 2)).toEqual({ result: undefined, reports: ['first'] });
  expect(run(3, undefined, 1, 4)).toEqual({ result: undefined, reports: [] });
  expect(run(5, true, -1, 4)).toEqual({ result: 'both', reports: [] });
  expect(run(7, false, 3, 4)).toEqual({ result: 'one', reports: [] });
});
