import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createVitest } from 'vitest/node';

/** One mutant: a switch and what it is set to. */
export interface Mutant {
  readonly site: number;
  readonly value: boolean | null;
}

/** What the child is told: run in the copy, as its working directory. */
export interface Work {
  /** Test files, from the root of the copy. */
  readonly tests: readonly string[];
  readonly mutants: readonly Mutant[];
  /** One line of JSON for each mutant that ended. */
  readonly results: string;
  readonly hits: string;
  /** `true`: run every test once with no mutant on, and write which sites each of them reaches. */
  readonly isBaseline: boolean;
}

export type Outcome = 'killed' | 'survived' | 'not reached' | 'hung';

/** By test file and test: sites it reaches. */
type Reached = Map<string, ReadonlyMap<string, ReadonlySet<number>>>;

function readReached(directory: string): Reached {
  const reached: Reached = new Map();
  for (const name of readdirSync(directory)) {
    const byTest = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Record<string, number[]>;
    const file = relative(process.cwd(), name.replaceAll('!', '/').replace(/\.json$/, ''));
    reached.set(file, new Map(Object.entries(byTest).map(([test, sites]) => [test, new Set(sites)])));
  }
  return reached;
}

/** Tests that reach a site: their files, and a pattern of their names. */
function testsOf(reached: Reached, site: number): { files: ReadonlySet<string>; names: RegExp } {
  const files = new Set<string>();
  const names: string[] = [];
  for (const [file, byTest] of reached) {
    const isEverywhere = byTest.get('')?.has(site) === true;
    const tests = [...byTest].filter(([, sites]) => isEverywhere || sites.has(site));
    if (tests.length > 0) files.add(file);
    // vitest joins the names of suites and tests with a space where the state has ` > `.
    for (const [name] of tests) if (name !== '') names.push(escaped(name.replaceAll(' > ', ' ')));
  }
  return { files, names: new RegExp(`^(${names.join('|')})$`) };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

const work = JSON.parse(readFileSync('work.json', 'utf8')) as Work;
const vitest = await createVitest('test', {
  config: false,
  watch: false,
  include: [...work.tests],
  setupFiles: ['test/mutation/switch.ts'],
  pool: 'forks',
  maxWorkers: 1,
  isolate: false,
  execArgv: ['--max-old-space-size=700'],
  bail: work.isBaseline ? 0 : 1,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  reporters: [{ onInit: () => undefined }],
});
const specifications = await vitest.globTestSpecifications();

function activate(mutant: Mutant | undefined): void {
  const active = { site: mutant?.site ?? -1, value: mutant?.value ?? null };
  writeFileSync(
    'active-mutant.json',
    JSON.stringify({ ...active, hits: work.isBaseline ? work.hits : null }),
  );
}

/** Test files, quickest first, one after the other until one fails. */
async function passes(files: ReadonlySet<string>): Promise<boolean> {
  const durations = readDurations();
  const chosen = specifications
    .map((specification) => ({ specification, file: relative(process.cwd(), specification.moduleId) }))
    .filter(({ file }) => files.has(file))
    .sort((a, b) => (durations[a.file] ?? 0) - (durations[b.file] ?? 0));
  for (const { specification, file } of chosen) {
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification], false);
    for (const module of testModules) durations[file] = module.diagnostic().duration;
    if (unhandledErrors.length > 0 || !testModules.every((module) => module.ok())) return false;
  }
  if (work.isBaseline) writeFileSync('durations.json', JSON.stringify(durations));
  return true;
}

/** By test file, in milliseconds. */
function readDurations(): Record<string, number> {
  if (work.isBaseline) return {};
  return JSON.parse(readFileSync('durations.json', 'utf8')) as Record<string, number>;
}

if (work.isBaseline) {
  activate(undefined);
  if (!(await passes(new Set(work.tests)))) {
    for (const module of vitest.state.getTestModules())
      for (const test of module.children.allTests('failed'))
        process.stdout.write(`${test.fullName}: ${test.result().errors?.[0]?.message}\n`);
    throw new Error('cannot test mutants: the tests fail without one');
  }
} else {
  const reached = readReached(work.hits);
  // The same choice of tests without a mutant: tests that lean on others would be taken for kills.
  const [control] = work.mutants.slice(Math.floor(work.mutants.length / 2));
  const chosen = testsOf(reached, control?.site ?? -1);
  activate(undefined);
  if (chosen.files.size > 0) vitest.setGlobalTestNamePattern(chosen.names);
  if (chosen.files.size > 0 && !(await passes(chosen.files)))
    throw new Error('cannot test mutants: chosen tests fail without one');
  for (const mutant of work.mutants) {
    const { files, names } = testsOf(reached, mutant.site);
    let outcome: Outcome = 'not reached';
    if (files.size > 0) {
      activate(mutant);
      vitest.setGlobalTestNamePattern(names);
      outcome = (await passes(files)) ? 'survived' : 'killed';
    }
    appendFileSync(work.results, `${JSON.stringify({ ...mutant, outcome })}\n`);
  }
}
await vitest.close();
process.exit(0);
