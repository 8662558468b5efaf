import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Command } from 'commander';
import { createEngine } from '../detectors/engine/engine.ts';
import { createSharedReplay } from '../detectors/engine/shared-replay.ts';
import type { Alert } from '../schemas/alert.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';

interface ReplayOptions extends CommonOptions {
  readonly tenant?: string;
  readonly diff?: boolean;
}

interface EventRow {
  readonly kpart: number;
  readonly kts_ms: string;
  readonly body: string;
}

/**
 * `custody replay`: runs the detectors of this version and configuration over the stored events, in log order, with
 * the engine that runs live, and prints the alerts they raise. It changes nothing in the store.
 */
export function replayCommand(): Command {
  return withCommonOptions(new Command('replay'))
    .description('run the detectors over the stored events and print what they raise; changes nothing')
    .option('-t, --tenant <id>', 'only this tenant')
    .option('--diff', 'print only alerts that differ from those stored: + new, - no longer raised')
    .addHelpText('after', '\nExample:\n  CUSTODY_DETECT_LOOP_IDENTICAL_CALLS=3 custody replay --diff')
    .addHelpText(
      'after',
      `
Examples:
  custody replay --diff                      what this version and configuration would raise otherwise
  custody replay --tenant acme --json | jq -r '.detector.id' | sort | uniq -c`,
    )
    .action(async (options: ReplayOptions) => {
      const config = configOf(options);
      const sql = await openSqlAccess(config);
      try {
        const stored =
          options.diff === true ? await storedAlerts(sql, options.tenant) : new Map<string, string>();
        const print = (sign: string, alert: { alert_id: string; title: string }) =>
          process.stdout.write(
            options.json === true
              ? `${JSON.stringify(sign === '' ? alert : { change: sign, ...alert })}\n`
              : `${sign}${sign === '' ? '' : ' '}${alert.alert_id} ${alert.title}\n`,
          );
        const engines = new Map<number, ReturnType<typeof createEngine>>();
        const { enabled: isShared, epoch_ms: epochMs } = config.detect.shared_statistics;
        const shared = createSharedReplay(epochMs);
        const counts = { events: 0, alerts: 0 };
        for await (const row of storedEvents(sql, options.tenant, isShared ? epochMs : undefined)) {
          const engine = engines.get(row.kpart) ?? createEngine(config.detect);
          engines.set(row.kpart, engine);
          if (isShared) shared.enter(row.kpart, engine, Number(row.kts_ms));
          counts.events += 1;
          for (const alert of engine.process({
            event: JSON.parse(row.body) as CustodyEvent,
            appendTimeMs: Number(row.kts_ms),
          })) {
            counts.alerts += 1;
            if (options.diff !== true) print('', alert);
            else if (!stored.delete(alert.alert_id)) print('+', alert);
          }
        }
        for (const [alert_id, title] of stored) print('-', { alert_id, title });
        process.stderr.write(`replayed ${counts.events} events, ${counts.alerts} alerts\n`);
      } finally {
        await sql.close();
      }
    });
}

/** Events partition by partition; epoch by epoch first when partitions share what they learn. */
async function* storedEvents(
  sql: SqlAccess,
  tenant: string | undefined,
  epochMs: number | undefined,
): AsyncGenerator<EventRow> {
  const order = `${epochMs === undefined ? '' : `intDiv(kts_ms, ${epochMs}), `}kpart, koffset`;
  const filter = `topic = 'custody.events' AND kind = 'event'${tenant === undefined ? '' : ' AND tenant = {tenant:String}'}`;
  const parameters = tenant === undefined ? {} : { tenant };
  const total = Number(
    await (
      await sql.query(`SELECT count() FROM custody.entries WHERE ${filter} FORMAT TSV`, { parameters })
    ).text(),
  );
  const response = await sql.query(
    `SELECT kpart, toString(kts_ms) AS kts_ms, body FROM custody.entries WHERE ${filter} ORDER BY ${order} FORMAT JSONEachRow`,
    { parameters },
  );
  if (response.body === null) return;
  const progress = createProgress('replay', 'events');
  let done = 0;
  for await (const line of createInterface({
    input: Readable.fromWeb(response.body as ReadableStream<Uint8Array>),
    crlfDelay: Infinity,
  })) {
    if (line === '') continue;
    yield JSON.parse(line) as EventRow;
    done += 1;
    if (done % 1000 === 0 || done === total) progress.update(done, total);
  }
  progress.stop();
}

async function storedAlerts(sql: SqlAccess, tenant: string | undefined): Promise<Map<string, string>> {
  const statement = `SELECT alert_id, title FROM custody.alerts${tenant === undefined ? '' : ' WHERE tenant = {tenant:String}'} FORMAT JSONEachRow`;
  const response = await sql.query(statement, { parameters: tenant === undefined ? {} : { tenant } });
  const rows = (await response.text()).split('\n').filter((line) => line !== '');
  return new Map(
    rows.map((line) => {
      const row = JSON.parse(line) as Pick<Alert, 'alert_id' | 'title'>;
      return [row.alert_id, row.title];
    }),
  );
}
