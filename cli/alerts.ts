import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import { ConfigError } from '../runtime/errors.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';

interface AlertsOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly limit: string;
  readonly severity?: string;
}

interface AlertRow {
  readonly append_ms: string;
  readonly position: string;
  readonly alert_time: string;
  readonly severity: string;
  readonly detector_id: string;
  readonly title: string;
  readonly reason: string;
  readonly alert_id: string;
}

const POLL_MS = 1000;
const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'];

/** `custody alerts`: the newest alerts, and with `--follow` each new one as it lands in the ledger. */
export function alertsCommand(): Command {
  return withCommonOptions(new Command('alerts'))
    .description('show the newest alerts; --follow keeps printing new ones')
    .option('-f, --follow', 'keep printing alerts as they come (Ctrl-C ends)')
    .option('-n, --limit <count>', 'how many of the newest to show first', '20')
    .option('-s, --severity <level>', `only this severity and above (${SEVERITIES.join(', ')})`)
    .addHelpText(
      'after',
      '\nExamples:\n  custody alerts --follow --severity medium\n  custody alerts --json | jq -r .reason',
    )
    .action(async (options: AlertsOptions) => {
      const limit = Number(options.limit);
      if (!Number.isSafeInteger(limit) || limit < 0)
        throw new ConfigError(`cannot show alerts: --limit ${options.limit} is not a count`);
      const minimum = options.severity === undefined ? 0 : SEVERITIES.indexOf(options.severity);
      if (minimum < 0)
        throw new ConfigError(`cannot show alerts: --severity must be one of ${SEVERITIES.join(', ')}`);
      const sqlAccess = await openSqlAccess(configOf(options));
      const print = (row: AlertRow) =>
        process.stdout.write(options.json === true ? `${JSON.stringify(row)}\n` : describe(row));
      const wanted = (row: AlertRow) => SEVERITIES.indexOf(row.severity) >= minimum;
      try {
        let last = '0';
        for (const row of (await fetchAlerts(sqlAccess, last, limit)).reverse()) {
          last = row.position;
          if (wanted(row)) print(row);
        }
        while (options.follow === true && sqlAccess.live) {
          await wait(POLL_MS);
          for (const row of (await fetchAlerts(sqlAccess, last, 1000)).reverse()) {
            last = row.position;
            if (wanted(row)) print(row);
          }
        }
      } finally {
        await sqlAccess.close();
      }
    });
}

/** Newest first. `position` orders alerts over partitions by append time, then offset. */
async function fetchAlerts(sql: SqlAccess, after: string, limit: number): Promise<AlertRow[]> {
  const statement = `
    SELECT toString(toUnixTimestamp64Milli(append_time)) AS append_ms,
           concat(leftPad(append_ms, 16, '0'), '/', log, '/', leftPad(toString(seq), 20, '0')) AS position,
           event_time AS alert_time, severity, detector_id, title, reason, alert_id
    FROM custody.alerts WHERE position > {after:String} ORDER BY position DESC LIMIT {limit:UInt32} FORMAT JSONEachRow`;
  const response = await sql.query(statement, { parameters: { after, limit: String(limit) } });
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AlertRow);
}

/** Alert texts hold names an attacker may have chosen: control characters must not reach the terminal. */
function describe(row: AlertRow): string {
  const clean = (text: string) => text.replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
  return `${row.alert_time}  ${row.severity.toUpperCase().padEnd(8)} ${clean(row.title)}\n    ${clean(row.reason)}\n    ${row.detector_id} ${row.alert_id}\n`;
}
