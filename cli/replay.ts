import { Command } from 'commander';
import { storedAlerts } from '../backtest/stored/stored-alerts.ts';
import { playHistory, queryOf } from './backtest-play.ts';
import { rangeOf } from './backtest-range.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { openSqlAccess } from './sql-access.ts';

interface ReplayOptions extends CommonOptions {
  readonly tenant?: string;
  readonly diff?: boolean;
}

/**
 * `custody replay`: a backtest over everything stored, with what was in force at each event. What the live engine raised, a
 * replay of the same version and configuration raises under the same ids.
 */
export function replayCommand(): Command {
  return withCommonOptions(new Command('replay'))
    .description('run the detectors over all stored events and print what they raise; changes nothing')
    .option('-t, --tenant <id>', 'only this tenant')
    .option('--diff', 'print only alerts that differ from those stored: + new, - no longer raised')
    .addHelpText(
      'after',
      `
Examples:
  custody replay --diff                      what this version and configuration would raise otherwise
  custody replay --tenant acme --json | jq -r '.detector.id' | sort | uniq -c
  CUSTODY_DETECT_LOOP_IDENTICAL_CALLS=3 custody replay --diff

For a range of time, other rules, labels and a report: custody backtest`,
    )
    .action(async (options: ReplayOptions) => {
      const config = configOf(options);
      const range = rangeOf(options.tenant === undefined ? {} : { tenant: options.tenant }, Date.now());
      const sql = await openSqlAccess(config);
      try {
        const stored = options.diff === true ? await storedAlerts(queryOf(sql), range) : undefined;
        const played = await playHistory({
          ...{
            config,
            sql,
            range,
            label: 'replay',
            inForce: [],
            profile: false,
            sessions: new Set<string>(),
          },
        });
        const print = (sign: string, alert: { readonly alert_id: string; readonly title: string }) =>
          process.stdout.write(
            options.json === true
              ? `${JSON.stringify(sign === '' ? alert : { change: sign, ...alert })}\n`
              : `${sign}${sign === '' ? '' : ' '}${alert.alert_id} ${alert.title}\n`,
          );
        for (const alert of played.alerts) {
          if (stored === undefined) print('', alert);
          else if (!stored.delete(alert.alert_id)) print('+', alert);
        }
        for (const { alert_id, title } of stored?.values() ?? []) print('-', { alert_id, title });
        process.stderr.write(`replayed ${played.events} events, ${played.alerts.length} alerts\n`);
      } finally {
        await sql.close();
      }
    });
}
