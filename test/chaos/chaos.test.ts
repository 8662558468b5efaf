import { afterAll, expect, test } from 'vitest';
import { verifies } from '../requirements.ts';
import { openArena, type Arena, type Outcome, type Scenario } from './arena.ts';
import { createRandom } from './random.ts';
import { drawScenario, scenarios } from './scenarios.ts';

/** `CUSTODY_CHAOS_RUNS=100 npm run chaos`: random scenarios; `CUSTODY_CHAOS_SEED=...`: the one of that seed again. */
const runs = Number(process.env['CUSTODY_CHAOS_RUNS'] ?? '0');
const replayed = process.env['CUSTODY_CHAOS_SEED'];
// The fleet refuses variables of its prefix that it does not know.
delete process.env['CUSTODY_CHAOS_RUNS'];
delete process.env['CUSTODY_CHAOS_SEED'];
const nightly = runs > 0 || replayed !== undefined;
/** Fixed, so that CI draws the same faults every time. */
const CI_SEED = 20_261_121;
const SCENARIO_MS = 600_000;
/** What a fleet has been through is checked again with every scenario: after so many it starts anew. */
const SCENARIOS_PER_FLEET = 8;

let arena: Arena | undefined;
let endured = 0;

afterAll(() => arena?.stop());

const say = (text: string) => void process.stdout.write(`${text}\n`);

/** Runs one scenario on the fleet there is, which is thrown away once something went wrong. */
async function face(scenario: Scenario, seed: number): Promise<Outcome> {
  const random = createRandom(seed);
  if (endured === SCENARIOS_PER_FLEET) {
    await arena?.stop();
    arena = undefined;
    endured = 0;
  }
  arena ??= await openArena(seed).catch((error: unknown) => {
    say(`chaos: no fleet for ${scenario.name} seed ${seed}: ${String(error)}`);
    throw error;
  });
  endured += 1;
  const before = performance.now();
  const took = () => Math.round((performance.now() - before) / 1000);
  try {
    const outcome = await arena.endure(scenario, random);
    const { fault, recovery, check } = outcome.seconds;
    const kept = outcome.problems.length === 0 ? 'held' : 'BROKE';
    say(
      `chaos: ${scenario.name} seed ${seed}: ${kept} in ${took()} s (fault ${fault}, recovery ${recovery}, check ${check}), ${outcome.acknowledged} events, ${outcome.alerts} alerts, ${outcome.copies} copies`,
    );
    if (outcome.problems.length > 0) await giveUp(outcome.problems.join('\n'));
    return outcome;
  } catch (error) {
    say(`chaos: ${scenario.name} seed ${seed}: BROKE after ${took()} s`);
    await giveUp(String(error));
    throw error;
  }
}

async function giveUp(why: string): Promise<void> {
  say(`${why}\nwhat the processes said: ${(await arena?.keepLogs()) ?? 'nothing'}`);
  await arena?.stop();
  arena = undefined;
  endured = 0;
}

test.skipIf(nightly).for(scenarios('ci').map((scenario, index) => ({ scenario, seed: CI_SEED + index })))(
  '$scenario.name (seed $seed): nothing accepted is lost, doubled, reordered or changed, and the alerts are those of a calm day',
  { timeout: SCENARIO_MS },
  async ({ scenario, seed }, context) => {
    const reason = scenario.skipped?.();
    if (reason !== undefined) return context.skip(reason);
    verifies('P1', 'P2', 'P5', 'P6');
    const { problems } = await face(scenario, seed);
    expect(problems).toEqual([]);
  },
);

test.runIf(nightly)('random faults one after the other', { timeout: 0 }, async () => {
  const first = Number(replayed ?? Date.now() % 1_000_000_000);
  const count = replayed === undefined ? runs : Math.max(1, runs);
  const failed: string[] = [];
  for (let run = 0; run < count; run += 1) {
    const seed = first + run;
    const scenario = drawScenario(seed);
    say(`chaos: run ${run + 1} of ${count}, ${failed.length} failed so far`);
    const reason = scenario.skipped?.();
    if (reason !== undefined) say(`chaos: ${scenario.name} seed ${seed}: skipped, ${reason}`);
    if (reason !== undefined) continue;
    const problems = await face(scenario, seed).then(
      (outcome) => outcome.problems,
      (error: unknown) => [String(error)],
    );
    if (problems.length > 0) failed.push(`CUSTODY_CHAOS_SEED=${seed} npm run chaos # ${scenario.name}`);
  }
  for (const line of failed) say(line);
  expect(failed).toEqual([]);
});
