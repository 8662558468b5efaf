import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { builtInDetectors } from '../../detectors/built-in.ts';
import { runRuleTests } from '../../detectors/rules/run-tests.ts';
import { readRuleFiles } from '../../pipeline/rule-files.ts';
import { detectConfig } from '../detectors/sessions.ts';
import { verifies } from '../requirements.ts';
import { plantedIncidents } from './planted-incidents.ts';

const config = detectConfig();
const detectors = builtInDetectors(config).map(({ id }) => id);
const testFile = (id: string) => fileURLToPath(new URL(`../detectors/${id}.test.ts`, import.meta.url));

/** The title begins a test that runs, or a row of one. */
function isPlayed(source: string, title: string): boolean {
  const quoted = ["'", '"', '`'].map((quote) => quote + title + quote);
  return quoted.some((text) =>
    source
      .split(text)
      .slice(0, -1)
      .some(
        (before) => /[([]\s*$/.test(before) && !/\.(?:skip|todo|fails)\w*(?:\([^()]*\))?\(\s*$/.test(before),
      ),
  );
}

describe('each detector', () => {
  it('has a planted incident and a look-alike, and no other has', () => {
    verifies('Q3');
    expect(Object.keys(plantedIncidents).sort()).toEqual([...detectors].sort());
  });

  it.each(Object.entries(plantedIncidents))('%s has tests that play both', (id, { incident, lookAlike }) => {
    const source = existsSync(testFile(id)) ? readFileSync(testFile(id), 'utf8') : '';
    // Of the detector alone, or of its alerts among those of all.
    expect([`detectors/${id}.ts'`, `'${id}'`].some((name) => source.includes(name))).toBe(true);
    expect([incident, lookAlike].filter((title) => !isPlayed(source, title))).toEqual([]);
    expect(incident).not.toBe(lookAlike);
  });
});

describe('each rule that comes with the product', () => {
  const { rules, problems } = readRuleFiles(['builtin']);

  it('can be read, and there are some', () => {
    verifies('Q3');
    expect(problems).toEqual([]);
    expect(rules.length).toBeGreaterThan(20);
  });

  it.each(rules.map(({ rule }) => [rule.rule.id, rule] as const))(
    '%s fires on its planted incident and stays quiet on its look-alike',
    (_id, rule) => {
      const results = runRuleTests(rule, config);
      const expected = rule.rule.tests.map((test) => test.expect);
      expect(results.filter(({ passed }) => !passed).map(({ name }) => name)).toEqual([]);
      expect(expected).toContain('alert');
      expect(expected).toContain('quiet');
      expect(results.some(({ alerts }) => alerts > 0)).toBe(true);
      expect(results.some(({ alerts }) => alerts === 0)).toBe(true);
    },
  );
});
