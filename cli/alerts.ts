import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import { ConfigError } from '../runtime/errors.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';
import { terminalText } from './terminal-text.ts';

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
  /** Empty for one that is on trial or silenced. */
  readonly incident_id: string;
  readonly risk_score: number;
  /** `shadow`, `suppressed` or empty. */
  readonly mode: string;
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
           event_time AS alert_time, severity, detector_id, title, reason, alert_id, incident_id, risk_score, mode
    FROM custody.alerts WHERE position > {after:String} ORDER BY position DESC LIMIT {limit:UInt32} FORMAT JSONEachRow`;
  const response = await sql.query(statement, { parameters: { after, limit: String(limit) } });
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AlertRow);
}

function describe(row: AlertRow): string {
  const mode = row.mode === '' ? '' : `  (${row.mode}: not sent to sinks)`;
  const incident = row.incident_id === '' ? '' : `  incident ${row.incident_id}, risk ${row.risk_score}`;
  return [
    `${row.alert_time}  ${row.severity.toUpperCase().padEnd(8)} ${terminalText(row.title)}${mode}`,
    `    ${terminalText(row.reason)}`,
    `    ${terminalText(row.detector_id)} ${row.alert_id}${incident}`,
    '',
  ].join('\n');
}
