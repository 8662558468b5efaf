import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import {
  type Attack,
  type AttackNumber,
  type AttackOutcome,
  attacks,
  type Face,
  NO_ALARM,
} from './attack-catalogue.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGE = join(ROOT, 'docs', 'attacks.md');
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
const CATALOGUE: Readonly<Record<AttackNumber, Attack>> = attacks;
const NUMBERS = Object.keys(attacks).map(Number) as AttackNumber[];

/** An outcome and the test that showed it. */
interface Shown extends AttackOutcome {
  readonly file: string;
  readonly title: string;
}

/**
 * Makes docs/attacks.md of the tests that ran and passed. With CUSTODY_TEST_WRITE_ATTACKS=1 it writes the page, and fails
 * when an attack is not noticed on a face where it can be played, or has no legitimate twin; else a run of every test tells
 * when the page says something else, because a machine may lack what a test needs. A run of some tests says nothing.
 */
export default class AttackTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const shown = tests.filter(passed).flatMap(shownBy);
    const isWrite = process.env['CUSTODY_TEST_WRITE_ATTACKS'] === '1';
    const isFailed = tests.some((test) => test.result().state === 'failed');
    if (isWrite) {
      // A page of a failed run would leave out what failed.
      if (isFailed) this.fail('docs/attacks.md was not written: a test failed');
      else writeFileSync(PAGE, pageOf(shown));
    }
    if (isFailed || (!isWrite && modules.length < WHOLE_RUN_FILES)) return;
    for (const gap of gapsOf(shown)) {
      if (isWrite) this.fail(gap);
      else this.tell(gap);
    }
    if (!isWrite && (!existsSync(PAGE) || readFileSync(PAGE, 'utf8') !== pageOf(shown)))
      this.tell('docs/attacks.md is not what the tests found: npm run attacks writes it');
  }

  private tell(message: string): void {
    process.stderr.write(`\nNOTICE ${message}\n`);
  }

  private fail(message: string): void {
    process.stderr.write(`\nFAIL ${message}\n`);
    process.exitCode = 1;
  }
}

/** Fewer test files than this are no run of everything. */
const WHOLE_RUN_FILES = 120;

const passed = (test: TestCase): boolean => test.result().state === 'passed';

function shownBy(test: TestCase): Shown[] {
  const file = relative(ROOT, test.module.moduleId).split(sep).join('/');
  return (test.meta().attacks ?? []).map((outcome) => ({ ...outcome, file, title: test.fullName }));
}

function gapsOf(shown: readonly Shown[]): string[] {
  return NUMBERS.flatMap((number) => {
    const own = shown.filter(({ attack }) => attack === number);
    const faces = CATALOGUE[number].on;
    const missing = faces.filter((face) => !own.some((one) => one.face === face && one.caught !== NO_ALARM));
    return [
      ...missing.map((face) => `no test shows that attack ${number} is noticed on: ${face}`),
      ...(own.some(isTwin) ? [] : [`no test plays the legitimate twin of attack ${number}`]),
    ];
  });
}

const isTwin = ({ caught }: AttackOutcome): boolean => caught === NO_ALARM;

function pageOf(shown: readonly Shown[]): string {
  const rows = NUMBERS.map((number) => {
    const own = shown.filter(({ attack }) => attack === number);
    const cells = FACES.map((face) => cellOf(own.filter((outcome) => outcome.face === face)));
    return `| ${number} | ${CATALOGUE[number].what} | ${cells.join(' | ')} |`;
  });
  const limits = NUMBERS.flatMap((number) => {
    const { limit } = CATALOGUE[number];
    return limit === undefined ? [] : [`- **${number}** ${limit}.`];
  });
  const tests = NUMBERS.map((number) => {
    const own = shown.filter(({ attack }) => attack === number);
    const files = sorted(own.map(({ file }) => `\`${file}\``));
    const twins = sorted(own.filter(isTwin).map(({ title }) => cellText(title)));
    return `| ${number} | ${twins.join('; ')} | ${files.join(', ')} |`;
  });
  return `# Attacks on evidence, and what notices them

Made by \`npm run attacks\` from tests that ran and passed; not written by hand. A cell holds the cause codes that a face gave,
as the tests assert them, most with the place (log and entry) they were given for. [spec/log.md](spec/log.md),
[spec/bundle.md](spec/bundle.md) and [spec/receipt.md](spec/receipt.md) say what each code means. "–": it cannot be played
there. "${NO_ALARM}": played there and rightly not reported, because it harms nothing.

| face | what it is |
|---|---|
| process | \`custody verify\`, outside of the store |
| sql | the views \`custody.verify_*\` inside ClickHouse: a convenience, no evidence |
| bundle, receipt | the offline verifiers |
| writer | refused before it is stored, or the ledger writer stops |
| notary | not signed, or the notary stops |
| alarm | raised by the running pipeline |
| witness | what a witness answers |

| # | attack | ${FACES.join(' | ')} |
|---|---|${FACES.map(() => '---').join('|')}|
${rows.join('\n')}

## What is not noticed

${limits.join('\n')}

## Legitimate twins

Acts that look like the attack and are right. Each was played in a test and raised nothing.

| # | legitimate twins | tests of attack and twins |
|---|---|---|
${tests.join('\n')}
`;
}

function cellOf(outcomes: readonly AttackOutcome[]): string {
  const causes = sorted(outcomes.filter((outcome) => !isTwin(outcome)).map(({ caught }) => caught));
  if (causes.length > 0) return causes.join(', ');
  return outcomes.length > 0 && HARMLESS.has(outcomes[0]?.attack) ? NO_ALARM : '–';
}

/** What is played by its twins alone. */
const HARMLESS: ReadonlySet<AttackNumber | undefined> = new Set(
  NUMBERS.filter((number) => CATALOGUE[number].on.length === 0),
);

const sorted = (texts: readonly string[]): string[] => [...new Set(texts)].sort();
const cellText = (title: string): string => title.replaceAll('|', '\\|').replace(/\s+/g, ' ');
