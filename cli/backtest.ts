import { Command } from 'commander';
import { backtestReport } from '../backtest/report/backtest-report.ts';
import {
  alertQuality,
  labelsMet,
  readAlertLabels,
  type AlertLabels,
} from '../backtest/stored/alert-labels.ts';
import { missingOf, outcomeOf, outcomeText } from '../backtest/stored/outcome.ts';
import { storedAlerts, storedDispositions } from '../backtest/stored/stored-alerts.ts';
import { unplayedAlerts } from '../backtest/stored/unplayed-alerts.ts';
import type { Alert } from '../schemas/alert.ts';
import { playHistory, queryOf } from './backtest-play.ts';
import { policyEvents } from './backtest-policies.ts';
import { rangeOf, type RangeOptions } from './backtest-range.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { checkReportFiles, writeReportFile, type NamedFile } from './report-files.ts';
import { openSqlAccess } from './sql-access.ts';

interface BacktestOptions extends CommonOptions, RangeOptions {
  readonly rules?: readonly string[];
  readonly registry?: string;
  readonly labels?: string;
  readonly diff?: boolean;
  readonly profile?: boolean;
  readonly html?: string;
}

/** `custody backtest`: what this version, configuration, registry and rules would have raised, next to what fired. */
export function backtestCommand(): Command {
  return withCommonOptions(new Command('backtest'))
    .description('run the detectors over stored history, compare with what fired; changes nothing')
    .option(
      '--from <time>',
      'alerts from here: a date, a time, or an age such as 7d (default: the beginning)',
    )
    .option('--to <time>', 'up to here (default: now)')
    .option('--warmup-days <days>', 'history before --from that is learned from', '30')
    .option('-t, --tenant <id>', 'only this tenant')
    .option('--rules <dir...>', "these rules instead of those in force then; builtin for the product's own")
    .option('--registry <file>', 'this registry instead of the one in force then')
    .option(
      '--labels <file>',
      'JSON lines with alert_id or session, and label; besides dispositions in the store',
    )
    .option('--diff', 'print only alerts that differ from those stored: + new, - gone')
    .option('--profile', 'measure the time each detector and each rule takes')
    .option('--html <file>', 'write a report with plots')
    .addHelpText(
      'after',
      `
Examples:
  custody backtest --from 30d --rules builtin ./rules --diff        what new rules would have raised last month
  custody backtest --from 2026-10-01 --to 2026-11-01 --html report.html
  custody backtest --from 7d --labels known.jsonl --json | tail -n 1 | jq .quality

With --json: one alert a line, then one line with the outcome. More: docs/operations/backtest.md`,
    )
    .action(async (options: BacktestOptions) => {
      const config = configOf(options);
      const range = rangeOf(options, Date.now());
      checkReportFiles([{ option: '--html', file: options.html }], inputsOf(options));
      const inForce = await policyEvents({ registry: options.registry, rules: options.rules ?? [] });
      const none: AlertLabels = { alerts: new Map(), sessions: new Map() };
      const known = options.labels === undefined ? none : await readAlertLabels(options.labels);
      const sql = await openSqlAccess(config);
      try {
        const query = queryOf(sql);
        const fired = await storedAlerts(query, range);
        const dispositions = await storedDispositions(query);
        const startedMs = performance.now();
        const sessions = new Set(known.sessions.keys());
        const played = await playHistory({
          ...{ config, sql, range, inForce, sessions, label: 'backtest', profile: options.profile === true },
        });
        const tookSec = (performance.now() - startedMs) / 1000;
        const { labels, sessionsMissed, alertsMissed } = labelsMet(known, played);
        tellMissed('labelled sessions have no event in what was played', sessionsMissed);
        tellMissed('labelled alerts were not raised', alertsMissed);
        const isKnown = options.labels !== undefined || dispositions.size > 0;
        const quality = isKnown ? alertQuality(played.alerts, labels, dispositions) : undefined;
        const unplayed = await unplayedAlerts(query, range, missingOf(played, fired));
        const outcome = outcomeOf(range, played, fired, quality, unplayed);
        const gone = outcome.gone.map((alert) => ({ change: '-', ...alert }));
        const shown: (Partial<Alert> & { change?: string })[] =
          options.diff === true
            ? [...outcome.added.map((alert) => ({ change: '+', ...alert })), ...(gone as Partial<Alert>[])]
            : [...played.alerts];
        for (const alert of shown)
          process.stdout.write(options.json === true ? `${JSON.stringify(alert)}\n` : line(alert));
        const { added, gone: missing, not_played: notPlayed, ...counts } = outcome;
        const lengths = { added: added.length, gone: missing.length, not_played: notPlayed.length };
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ outcome: { ...counts, ...lengths } })}\n`
            : outcomeText(outcome),
        );
        if (options.html !== undefined)
          await writeReportFile(options.html, [backtestReport({ outcome, played, labels })], '--html');
        process.stderr.write(
          `played ${played.events} events in ${tookSec.toFixed(1)} s, ${Math.round(played.events / Math.max(0.001, tookSec))} a second\n`,
        );
      } finally {
        await sql.close();
      }
    });
}

function inputsOf(options: BacktestOptions): NamedFile[] {
  return [
    { option: '--config', file: options.config },
    { option: '--registry', file: options.registry },
    { option: '--labels', file: options.labels },
    ...(options.rules ?? []).map((file) => ({ option: '--rules', file })),
  ];
}

function tellMissed(what: string, count: number): void {
  if (count > 0) process.stderr.write(`${count} ${what}; they are not counted\n`);
}

function line({
  change,
  alert_id: id,
  severity,
  title,
}: Partial<Alert> & { readonly change?: string }): string {
  return `${change === undefined ? '' : `${change} `}${id ?? ''} ${severity ?? ''} ${title ?? ''}\n`;
}
