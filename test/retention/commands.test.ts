import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { run } from '../../cli/program.ts';
import { loadConfig } from '../../cli/load-config.ts';
import { type Pipeline, startPipeline } from '../../pipeline/assemble.ts';
import { ROLES } from '../../pipeline/roles.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { configSchema } from '../../schemas/config.ts';
import { dayText, DEPLOYMENT, startArena } from './retention-harness.ts';

let dataDir: string;

/** Six days of a ledger that no notary has seen yet. */
beforeAll(async () => {
  const arena = await startArena();
  for (let day = 0; day < 6; day++) {
    arena.setDay(day);
    await arena.write(['acme', 'globex'], 1);
  }
  dataDir = arena.directory;
  await arena.close(true);
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

/** No detector at all. */
const silent = Object.fromEntries(
  Object.entries(configSchema.parse({}).detect).flatMap(([name, section]) =>
    typeof section === 'object' && 'enabled' in section ? [[name, { enabled: false }]] : [],
  ),
);

function configFile(retention: object = {}): string {
  const path = join(dataDir, 'custody.json');
  const off = { enabled: false };
  const config = {
    data_dir: dataDir,
    deployment: DEPLOYMENT,
    log_level: 'silent',
    ingest: { http: off, grpc: off },
    sql: { listener: { port: 0 } },
    admin: { listener: { port: 0 } },
    notary: { interval_ms: 100 },
    // Alerts and records of rules in force would be of today, years after the days of this ledger.
    rules: { dirs: [] },
    detect: silent,
    sinks: [],
    retention: { days: 3, minimum_days: 3, cron: '', ...retention },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

// What a command prints is its own JSON; the assertions say its shape.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Printed = any;

/** Runs a command line; what it printed as JSON, and its exit code. */
async function custody(...words: string[]): Promise<{ code: number; printed: Printed; errors: string }> {
  let printed = '';
  let errors = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((errors += String(text)), true));
  const code = await run(['node', 'custody', ...words, '--config', join(dataDir, 'custody.json'), '--json']);
  vi.restoreAllMocks();
  return { code, printed: printed === '' ? undefined : JSON.parse(printed), errors };
}

async function withPipeline(retention: object, action: (pipeline: Pipeline) => Promise<void>): Promise<void> {
  const pipeline = await startPipeline({
    config: loadConfig({ file: configFile(retention), env: {} }),
    version: 'test',
    roles: new Set(ROLES),
    tokens: { ingest: [], sql: [], admin: [] },
    secrets: () => '',
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
  });
  try {
    await action(pipeline);
  } finally {
    await pipeline.stop();
  }
}

const who = ['--operator', 'ops', '--reason', 'a test'];
const goes = async () =>
  (await custody('retention', 'plan')).printed.goes.map(({ day }: { day: string }) => day);

describe('custody retention and custody hold', () => {
  let holdId: string;

  it('plan says that nothing goes that nobody has signed', async () => {
    configFile();
    const { code, printed } = await custody('retention', 'plan');
    expect(code).toBe(0);
    expect(printed).toMatchObject({ retention_days: 3, today: dayText(5), goes: [] });
    expect(printed.stays[0]).toMatchObject({ day: dayText(0), code: 'not_anchored' });
  });

  it('a running pipeline signs, takes a hold, and does not let another process remove days', async () => {
    await withPipeline({}, async (pipeline) => {
      const added = await custody(
        'hold',
        'add',
        ...who,
        '--case',
        'C-7',
        '--from',
        dayText(1),
        '--tenant',
        'globex',
      );
      expect(added.printed).toMatchObject({ state: 'entered' });
      holdId = added.printed.hold_id as string;
      const { printed } = await custody('hold', 'list');
      expect(printed).toMatchObject([
        {
          hold_id: holdId,
          state: 'in_force',
          tenant: 'globex',
          from_day: dayText(1),
          to_day: null,
          reason: 'a test (case C-7)',
        },
      ]);
      await vi.waitFor(async () => expect(await goes()).toEqual([dayText(0)]), {
        timeout: 120_000,
        interval: 100,
      });
      const refused = await custody('retention', 'run', '--operator', 'ops');
      expect(refused.code).toBe(5);
      expect(refused.errors).toContain('a pipeline runs on');
      expect((await pipeline.status()).alarms).toEqual([]);
    });
  });

  it('a dry run of a stopped pipeline checks and changes nothing', async () => {
    const { printed } = await custody('retention', 'run', '--operator', 'ops', '--dry-run');
    expect(printed).toMatchObject({ goes: [{ day: dayText(0) }], would_announce: 4 });
    expect(await goes()).toEqual([dayText(0)]);
  });

  it('run removes what goes and heeds the hold', async () => {
    const { code, printed } = await custody('retention', 'run', '--operator', 'ops');
    expect(code).toBe(0);
    expect(printed).toMatchObject({ announced: 4, dropped: [dayText(0)], stopped: null });
    expect(printed.stays[0]).toMatchObject({ day: dayText(1), code: 'held' });
  });

  it('a hold that is asked for or released while nothing runs counts in the next run', async () => {
    expect((await custody('hold', 'release', 'hold-none', ...who)).errors).toContain(
      'no such hold is in force',
    );
    const asked = await custody('hold', 'add', ...who, '--to', dayText(1), '--wait', '0');
    expect(asked.printed).toMatchObject({ state: 'requested' });
    expect((await custody('hold', 'list')).printed).toHaveLength(2);
    expect((await custody('hold', 'release', asked.printed.hold_id as string, ...who)).errors).toContain(
      'has not entered it yet',
    );
    expect((await custody('hold', 'release', holdId, ...who, '--wait', '0')).printed).toMatchObject({
      state: 'requested',
    });
    expect((await custody('retention', 'run', '--operator', 'ops')).printed).toMatchObject({ dropped: [] });
    const [left] = (await custody('hold', 'list')).printed;
    expect(left).toMatchObject({ hold_id: asked.printed.hold_id, state: 'in_force' });
    await custody('hold', 'release', left.hold_id as string, ...who, '--wait', '0');
    expect((await custody('retention', 'run', '--operator', 'ops')).printed).toMatchObject({
      dropped: [dayText(1)],
    });
  });

  it('the pipeline does it by itself, starts again without an alarm, and verifies', async () => {
    await withPipeline({ days: 1, minimum_days: 1, cron: '* * * * * *' }, async (pipeline) => {
      await vi.waitFor(
        async () => {
          const { printed } = await custody('retention', 'plan');
          expect(printed.stays[0]).toMatchObject({ day: dayText(4) });
          expect(printed.goes).toEqual([]);
        },
        { timeout: 120_000, interval: 200 },
      );
      expect((await pipeline.status()).alarms).toEqual([]);
    });
    await withPipeline({}, async (pipeline) => {
      expect((await pipeline.status()).alarms).toEqual([]);
    });
    const { printed } = await custody('verify');
    // Nothing is wrong but that this command was given no key.
    const wrong = printed.findings.filter(({ cause }: { cause: string }) => cause !== 'NO_PINNED_KEY');
    expect(wrong).toEqual([]);
    expect(printed.verdict).not.toBe('invalid');
  });

  it('refuses days and periods that are none', async () => {
    const add = (...words: string[]) => custody('hold', 'add', ...who, ...words);
    expect(await add('--from', '2026-02-30')).toMatchObject({ code: 2 });
    expect(await add('--from', '2026-02-03', '--to', '2026-02-01')).toMatchObject({ code: 2 });
    expect((await add('--tenant', 'No Tenant')).errors).toContain('--tenant is not a tenant id');
  });
});
