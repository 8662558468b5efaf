import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFleet, type Environment, type Fleet } from '../support/fleet.ts';
import { runCli, until } from '../support/pipeline-process.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ partitions: 1 });
});
afterAll(() => fleet.stop());

/** One collector and one ledger writer, some records, and both gone again. */
async function write(changes: Environment, expected: number): Promise<void> {
  const [collector, ledger] = [await fleet.start('collector', changes), await fleet.start('ledger', changes)];
  const body = Array.from({ length: 10 }, (_, index) =>
    JSON.stringify({ 'tool.name': `t-${index}`, 'actor.id': 'a' }),
  );
  const response = await fetch(`${collector.http ?? ''}/v1/audit`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: body.join('\n'),
  });
  expect(response.status).toBe(200);
  await until('the ledger to have them', async () => {
    const [row] = await fleet.rows<{ n: string }>(
      "SELECT count() AS n FROM custody.entries WHERE kind = 'event'",
    );
    return Number(row?.n) === expected;
  });
  await Promise.all([collector.stop(), ledger.stop()]);
}

test('a store that holds the logs of a former namespace verifies with its heads, and not without them', async () => {
  await write({}, 10);
  const former = fleet.env['CUSTODY_LOG_NAMESPACE'] ?? '';
  const moved: Environment = { CUSTODY_LOG_NAMESPACE: `${former}-2`, CUSTODY_LOG_PARTITIONS: '3' };
  await write(moved, 20);
  const verify = async (changes: Environment) => {
    const { code, stdout } = await runCli(['verify', '--json'], { ...fleet.env, ...moved, ...changes });
    const report = JSON.parse(stdout) as { verdict: string; findings: { cause: string }[] };
    return { code, verdict: report.verdict, causes: [...new Set(report.findings.map(({ cause }) => cause))] };
  };
  const withFormer = { CUSTODY_LOG_FORMER_NAMESPACES: JSON.stringify([former]) };
  expect(await verify(withFormer)).toEqual({ code: 0, verdict: 'valid', causes: [] });
  expect(await verify({})).toEqual({ code: 3, verdict: 'invalid', causes: ['UNKNOWN_LOG'] });
});
