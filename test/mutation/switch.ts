import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';

/** The mutant that is on, as `run-mutants.ts` wrote it; `site` -1: none. */
interface Active {
  readonly site: number;
  readonly value: boolean | null;
  /** Where the sites that each test reached are written to. */
  readonly hits: string | null;
}

const active = JSON.parse(readFileSync('active-mutant.json', 'utf8')) as Active;
const byTest: Record<string, number[]> = {};
let hits = new Set<number>();

/** Sites reached outside of tests (hooks, data of `each`) count for all of the file. */
function keep(name: string): void {
  byTest[name] = [...new Set([...(byTest[name] ?? []), ...hits])];
  hits = new Set();
}

/** A mutant of a loop may never end: it is stopped when its switch was asked this often. */
const ASKED_MAX = 1_000_000;
let asked = 0;

const mutant = (site: number): boolean => {
  if (active.hits !== null) hits.add(site);
  if (site !== active.site) return false;
  if (++asked > ASKED_MAX) throw new Error('the mutant does not end');
  return true;
};
Object.assign(globalThis, { __mutant: Object.assign(mutant, { value: active.value ?? undefined }) });

const { hits: hitsDirectory } = active;
if (hitsDirectory !== null) {
  beforeEach(() => keep(''));
  afterEach(() => keep(expect.getState().currentTestName ?? ''));
  afterAll(() => {
    keep('');
    const file = expect.getState().testPath ?? '';
    writeFileSync(join(hitsDirectory, `${file.replaceAll('/', '!')}.json`), JSON.stringify(byTest));
  });
}
