/**
 * Takes the checks of the verifiers away, one after the other, and runs their tests: a mutant that no test notices is a check
 * that nothing tests. `npm run mutation [-- <group>…]`; works on a copy, and writes bench/results/mutation.json.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant, Outcome, Work } from './run-mutants.ts';
import { type Site, withSwitches } from './sites.ts';
import { GROUPS } from './groups.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RESULTS = join(ROOT, 'bench/results/mutation.json');
/** A mutant that takes longer than this hangs, and so was noticed. */
const MUTANT_TIMEOUT_MS = 40_000;
const NOT_COPIED = new Set(['node_modules', '.git', 'dist', 'data']);

interface Result {
  readonly file: string;
  readonly line: number;
  readonly check: string;
  readonly becomes: string;
  readonly outcome: Outcome;
}

function copyOfSource(): string {
  const copy = mkdtempSync(join(tmpdir(), 'custody-mutants-'));
  cpSync(ROOT, copy, { recursive: true, filter: (from) => !NOT_COPIED.has(relative(ROOT, from)) });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Files of the folders that are mutated and of the tests whose path from the root matches. */
function filesOf(copy: string, pattern: RegExp): string[] {
  return ['evidence', 'sinks', 'test']
    .flatMap((folder) =>
      readdirSync(join(copy, folder), { recursive: true, encoding: 'utf8' }).map((path) =>
        join(folder, path),
      ),
    )
    .filter((path) => pattern.test(path))
    .sort();
}

/** Runs the child in the copy; it is ended when nothing new was written to `results` for too long. */
async function runChild(copy: string, work: Work, timeoutMs: number): Promise<number | null> {
  writeFileSync(join(copy, 'work.json'), JSON.stringify(work));
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/mutation/run-mutants.ts'], {
    cwd: copy,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  let last = Date.now();
  let size = 0;
  const watch = setInterval(() => {
    const now = existsSync(work.results) ? readFileSync(work.results).length : 0;
    if (now !== size) last = Date.now();
    size = now;
    if (Date.now() - last > timeoutMs && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, 1000);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearInterval(watch);
  return code;
}

function readOutcomes(path: string): (Mutant & { outcome: Outcome })[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Mutant & { outcome: Outcome });
}

async function runGroup(name: string): Promise<Result[]> {
  const group = GROUPS[name];
  if (group === undefined) throw new Error(`no group ${name}; there are ${Object.keys(GROUPS).join(', ')}`);
  const copy = copyOfSource();
  try {
    const sites: Site[] = [];
    for (const file of filesOf(copy, group.sources)) {
      const switched = withSwitches(file, readFileSync(join(copy, file), 'utf8'), sites.length);
      writeFileSync(join(copy, file), switched.text);
      sites.push(...switched.sites);
    }
    const tests = filesOf(copy, group.tests);
    const hits = join(copy, 'hits');
    const results = join(copy, 'results.jsonl');
    mkdirSync(hits);
    const mutants = sites.flatMap(({ values }, site) =>
      values.map((value) => ({ site, value: value ?? null })),
    );
    const work = { tests, mutants, hits, results, isBaseline: false };
    const code = await runChild(copy, { ...work, isBaseline: true }, 600_000);
    if (code !== 0) throw new Error(`cannot test mutants of ${name}: its tests fail without one`);
    for (let done = 0; done < mutants.length; done = readOutcomes(results).length) {
      const rest = mutants.slice(done);
      if ((await runChild(copy, { ...work, mutants: rest }, MUTANT_TIMEOUT_MS)) === 0) continue;
      const hung = mutants[readOutcomes(results).length];
      if (hung === undefined) break;
      writeFileSync(results, `${JSON.stringify({ ...hung, outcome: 'hung' })}\n`, { flag: 'a' });
    }
    return readOutcomes(results).flatMap(({ site, value, outcome }) => {
      const at = sites[site];
      if (at === undefined) return [];
      const becomes = value === null ? 'nothing' : String(value);
      return [{ file: at.file, line: at.line, check: at.text, becomes, outcome }];
    });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(GROUPS);
for (const name of names) {
  const results = await runGroup(name);
  const left = results.filter(({ outcome }) => outcome === 'survived' || outcome === 'not reached');
  for (const { file, line, check, becomes, outcome } of left)
    process.stdout.write(`${outcome}  ${file}:${line}  ${check}  ->  ${becomes}\n`);
  process.stdout.write(
    `${name}: ${results.length} mutants, ${results.length - left.length} killed, ${left.length} left\n`,
  );
  const before = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as object) : {};
  const counted = { mutants: results.length, killed: results.length - left.length, left };
  writeFileSync(RESULTS, `${JSON.stringify({ ...before, [name]: counted }, null, 2)}\n`);
}
