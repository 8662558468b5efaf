import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { type AttackNumber, type AttackOutcome, attacks, type Face } from './attack-catalogue.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'attacks.md');
const FACES: readonly Face[] = [
  'process',
  'sql',
  'bundle',
  'receipt',
  'writer',
  'notary',
  'alarm',
  'witness',
];

/**
 * Makes docs/attacks.md of the tests that ran and passed. With CUSTODY_WRITE_ATTACKS=1 it writes the page; else a run of
 * every test fails when the page says something else. A run of some tests says nothing.
 */
export default class AttackTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const outcomes = tests.filter(passed).flatMap((test) => test.meta().attacks ?? []);
    const isWrite = process.env['CUSTODY_WRITE_ATTACKS'] === '1';
    const isWhole =
      modules.length >= WHOLE_RUN_FILES && tests.every((test) => test.result().state !== 'failed');
    if (isWrite) {
      writeFileSync(PAGE, pageOf(outcomes));
      return;
    }
    if (!isWhole) return;
    const missing = (Object.keys(attacks) as unknown as AttackNumber[]).filter(
      (number) => !outcomes.some(({ attack }) => String(attack) === String(number)),
    );
    if (missing.length > 0) this.fail(`no test plays attack ${missing.join(', ')}`);
    if (readFileSync(PAGE, 'utf8') !== pageOf(outcomes))
      this.fail('docs/attacks.md is not what the tests found: npm run attacks writes it');
  }

  private fail(message: string): void {
    process.stderr.write(`\nFAIL ${message}\n`);
    process.exitCode = 1;
  }
}

/** Fewer test files than this are no run of everything. */
const WHOLE_RUN_FILES = 120;

const passed = (test: TestCase): boolean => test.result().state === 'passed';

function pageOf(outcomes: readonly AttackOutcome[]): string {
  const rows = Object.entries(attacks).map(([number, what]) => {
    const own = outcomes.filter(({ attack }) => String(attack) === number);
    const cells = FACES.map((face) => cellOf(own.filter((outcome) => outcome.face === face)));
    const isTwin = own.some(({ caught }) => caught === 'no alarm');
    return `| ${number} | ${what} | ${cells.join(' | ')} | ${isTwin ? 'yes' : '–'} |`;
  });
  return `# Attacks on evidence, and what notices them

Made by \`npm run attacks\` from the tests that ran and passed; not written by hand. A cell holds the cause codes that a face
gave ([spec/log.md](spec/log.md), [spec/bundle.md](spec/bundle.md), [spec/receipt.md](spec/receipt.md) say what each means);
"–": it does not apply there, or nothing was shown. Faces: **process** is \`custody verify\`, **sql** the views inside
ClickHouse, **bundle** and **receipt** the offline verifiers, **writer** what is refused before it is stored, **notary** what
is not signed, **alarm** what the running pipeline raises, **witness** what a witness answers. "Twin": the legitimate act it
looks like is played too and raises nothing.

| # | attack | ${FACES.join(' | ')} | twin |
|---|---|${FACES.map(() => '---').join('|')}|---|
${rows.join('\n')}
`;
}

function cellOf(outcomes: readonly AttackOutcome[]): string {
  const causes = [...new Set(outcomes.map(({ caught }) => caught).filter((caught) => caught !== 'no alarm'))];
  return causes.length === 0 ? '–' : causes.sort().join(', ');
}
