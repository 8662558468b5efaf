import { Argument, Command, Option } from 'commander';
import { findIncidents, incidentDetail, listIncidents, type ReadRows } from '../pipeline/incident-lookup.ts';
import {
  detectorKpiRow,
  detectorKpisStatement,
  incidentFilter,
  rowsOf,
  type IncidentRow,
} from '../pipeline/incident-query.ts';
import { ConfigError, InputError } from '../runtime/errors.ts';
import { disposition, incidentStatus } from '../schemas/incident.ts';
import { addChangeCommands } from './incident-change.ts';
import { describeIncident, describeIncidents, describeKpis } from './incident-text.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';

interface ListOptions extends CommonOptions {
  readonly tenant?: string;
  readonly status: string;
  readonly since?: string;
  readonly assignee?: string;
  readonly limit: string;
}

/** `custody incident`: what alerts add up to, and the work on it. */
export function incidentCommand(): Command {
  const incident = new Command('incident')
    .description('work on incidents: alerts that belong together')
    .addHelpText(
      'afterAll',
      `
Examples:
  custody incident list                                  unresolved ones, the most pressing first
  custody incident list --status resolved --since 7d --json
  custody incident show 7d0f41c2                         timeline, evidence, what to do next
  custody incident assign 7d0f41c2 ann
  custody incident disposition 7d0f41c2 false_positive --resolve --note "planned migration"
  custody incident kpi --tenant acme                     how often each detector is right, how long things take

An id may be cut to its first eight digits. Dispositions: ${disposition.options.join(', ')}. Statuses: ${incidentStatus.options.join(', ')}.`,
    );
  withCommonOptions(incident.command('list'))
    .description('incidents, the most pressing first')
    .option('-t, --tenant <id>', 'of this tenant')
    .addOption(
      new Option('-s, --status <status>', 'in this state')
        .choices([...incidentStatus.options, 'unresolved', 'any'])
        .default('unresolved'),
    )
    .option('--since <time>', 'with an alert since then: RFC 3339, or 30m, 24h, 7d before now')
    .option('--assignee <who>', 'assigned to them; empty = to nobody')
    .option('-n, --limit <count>', 'at most so many', '50')
    .action(async (options: ListOptions) => {
      const filter = filterOf(options);
      await withSql(options, async (sql) => {
        const rows = await listIncidents(readerOf(sql), filter);
        process.stdout.write(options.json === true ? jsonLines(rows) : describeIncidents(rows));
      });
    });
  withCommonOptions(incident.command('show'))
    .description('one incident: timeline, evidence, and what to do next')
    .addArgument(new Argument('<id>', 'its id, or how it begins'))
    .action(async (id: string, options: CommonOptions) => {
      await withSql(options, async (sql) => {
        const detail = await incidentDetail(readerOf(sql), await findIncident(sql, id));
        process.stdout.write(options.json === true ? jsonLines([detail]) : describeIncident(detail));
      });
    });
  addChangeCommands(incident, (config, id) => withOpenSql(config, (sql) => findIncident(sql, id)));
  withCommonOptions(incident.command('kpi'))
    .description('how often each detector is right, how much it says, how long things take')
    .option('-t, --tenant <id>', 'of this tenant')
    .action(async (options: CommonOptions & { readonly tenant?: string }) => {
      const { tenant } = filterOf({ ...options, status: 'any', limit: '1' });
      await withSql(options, async (sql) => {
        const rows = await readerOf(sql)(detectorKpiRow, detectorKpisStatement(tenant));
        process.stdout.write(options.json === true ? jsonLines(rows) : describeKpis(rows));
      });
    });
  return incident;
}

function filterOf({ tenant, status, since, assignee, limit }: ListOptions) {
  const result = incidentFilter.safeParse({
    ...(tenant === undefined ? {} : { tenant }),
    ...(status === 'any' ? {} : { status }),
    ...(since === undefined ? {} : { since: timeOf(since) }),
    ...(assignee === undefined ? {} : { assignee }),
    limit,
  });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const option = `--${String(issue?.path[0] ?? '')}`;
  throw new ConfigError(`cannot list incidents: ${option}: ${issue?.message ?? 'invalid'}`, { path: option });
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** RFC 3339 as it is; `24h` as the time so long before now. */
function timeOf(text: string): string {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return text;
  return new Date(Date.now() - Number(count) * (UNITS_MS[unit] ?? 0)).toISOString();
}

/** @throws InputError when no incident's id begins so, or more than one's does. */
async function findIncident(sql: SqlAccess, id: string): Promise<IncidentRow> {
  const begin = id.toLowerCase();
  if (!/^[0-9a-f]{8}[0-9a-f-]{0,28}$/.test(begin))
    throw new InputError(
      'input_invalid',
      `cannot find incident ${id}: want its id, or at least its first eight digits`,
    );
  const [found, another] = await findIncidents(readerOf(sql), begin);
  if (found === undefined)
    throw new InputError('input_invalid', `cannot find incident ${id}: no alert in the ledger belongs to it`);
  if (another !== undefined)
    throw new InputError('input_invalid', `cannot find incident ${id}: the ids of several begin so`);
  return found;
}

function readerOf(sql: SqlAccess): ReadRows {
  return async (schema, statement) => {
    const response = await sql.query(statement, { format: 'JSONEachRow' });
    return rowsOf(schema, await response.text());
  };
}

const withSql = (options: CommonOptions, work: (sql: SqlAccess) => Promise<void>) =>
  withOpenSql(configOf(options), work);

async function withOpenSql<Result>(
  config: ReturnType<typeof configOf>,
  work: (sql: SqlAccess) => Promise<Result>,
): Promise<Result> {
  const sql = await openSqlAccess(config);
  try {
    return await work(sql);
  } finally {
    await sql.close();
  }
}

const jsonLines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
