import { join } from 'node:path';
import { Command } from 'commander';
import { readRunFile } from '../pipeline/run-file.ts';
import type { EvidenceSources, VerifyEvidence } from '../pipeline/verify-evidence.ts';
import { InputError, PermanentError, TransientError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { VerifyReport } from '../sinks/store/verify-report.ts';
import type { VerifyOptions } from '../sinks/store/verify-store.ts';
import type { EmbeddedLog } from '../streams/embedded/open-log.ts';
import { TOPIC_NAMES, type Log } from '../streams/topic.ts';
import { exitCodes } from './exit-codes.ts';
import { configOf, withCommonOptions, type CommonOptions, type SetExitCode } from './options.ts';
import { createProgress } from './progress.ts';
import { secretsOf } from './secrets.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';
import { readTrustPolicy } from './trust.ts';
import { describeReport } from './verify-text.ts';

interface VerifyFlags extends CommonOptions {
  readonly tenant?: string;
  readonly since?: string;
  readonly rebuild?: boolean;
  readonly trust?: string;
  readonly anchors: boolean;
}
type Scope = Pick<VerifyOptions, 'tenant' | 'sinceDay' | 'rebuild' | 'onProgress'> &
  Pick<EvidenceSources, 'policy' | 'withAnchors'>;

/** `custody verify`: recomputes the ledger from its bytes, beside a running pipeline or on a stopped one. */
export function verifyCommand(setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('verify'))
    .description('recompute every stored entry and compare it with what was written and signed')
    .option('-t, --tenant <id>', 'only this tenant')
    .option('--since <time>', 'only from this UTC day on (RFC 3339 time or YYYY-MM-DD)')
    .option('--rebuild', 'also build every entry from the retained records of the log again')
    .option(
      '--trust <file>',
      'keys to hold checkpoints against (custody trust export); default: the key here',
    )
    .option('--no-anchors', 'do not ask the configured anchors, nor the memory of the notary here')
    .addHelpText(
      'after',
      `
Examples:
  custody verify                          everything, running or stopped
  custody verify --trust trust.json       with keys that were handed over apart from the data
  custody verify --since 2026-11-01       only what was appended since that day
  custody verify --json | jq .findings    what was found, for machines

Exit codes: 0 valid, 3 invalid, 4 undecidable (docs/spec/log.md says what each finding means)`,
    )
    .action(async (flags: VerifyFlags) => {
      const config = configOf(flags);
      const progress = createProgress('verify', 'entries');
      const scope: Scope = {
        tenant: tenantOf(flags.tenant),
        sinceDay: dayOf(flags.since),
        rebuild: flags.rebuild,
        policy: flags.trust === undefined ? undefined : readTrustPolicy(flags.trust),
        withAnchors: flags.anchors,
        onProgress: (done, total) => progress.update(done, total),
      };
      let report: VerifyReport;
      try {
        report = await wayOf(config)(config, scope);
      } finally {
        progress.stop();
      }
      process.stdout.write(flags.json === true ? `${JSON.stringify(report)}\n` : describeReport(report));
      if (report.verdict === 'invalid') setExitCode(exitCodes.invalid);
      if (report.verdict === 'undecidable') setExitCode(exitCodes.undecidable);
    });
}

function wayOf(config: Config): (config: Config, scope: Scope) => Promise<VerifyReport> {
  if (config.log.type === 'kafka' || config.store.type === 'clickhouse') return verifyFleet;
  return readRunFile(config.data_dir) === undefined ? verifyStopped : verifyRunning;
}

/** Keys and anchors, as the configuration and the command line name them. */
async function evidenceOf(config: Config, deployment: string, scope: Scope): Promise<VerifyEvidence> {
  const [{ openVerifyEvidence }, { systemClock }, { createLogger }] = await Promise.all([
    import('../pipeline/verify-evidence.ts'),
    import('../runtime/clock.ts'),
    import('../runtime/logger.ts'),
  ]);
  return openVerifyEvidence({
    ...{ config, deployment, clock: systemClock, logger: createLogger({ level: 'error' }) },
    secrets: secretsOf(process.env),
    ...{ policy: scope.policy, withAnchors: scope.withAnchors },
  });
}

const topicsOf = (log: Log) => TOPIC_NAMES.map((name) => log.topic(name));

/** Log or store are servers: both are read where they are. */
async function verifyFleet(config: Config, scope: Scope): Promise<VerifyReport> {
  const [{ openFleet }, { verifyStore }] = await Promise.all([
    import('../pipeline/open-fleet.ts'),
    import('../sinks/store/verify-store.ts'),
  ]);
  const fleet = await openFleet({ config, secrets: secretsOf(process.env) });
  const evidence = await evidenceOf(config, fleet.deployment, scope);
  try {
    const log = await fleet.openLog();
    return await verifyStore({
      ...evidence,
      raw: fleet.store.raw,
      schema: fleet.store.schema,
      states: log.states('ledger'),
      topics: async () => topicsOf(await fleet.openLog()),
      deployment: fleet.deployment,
      ...scope,
    });
  } finally {
    await evidence.close();
    await fleet.close();
  }
}

async function verifyStopped(config: Config, scope: Scope): Promise<VerifyReport> {
  const [{ openStoppedStore }, { verifyStore }, { createFindingLog }, { loadDeployment }] = await Promise.all(
    [
      import('../pipeline/stopped-store.ts'),
      import('../sinks/store/verify-store.ts'),
      import('../sinks/store/verify-report.ts'),
      import('../runtime/deployment.ts'),
    ],
  );
  const stopped = await openStoppedStore(config);
  let evidence: VerifyEvidence | undefined;
  try {
    let raw: RawQuery;
    try {
      ({ raw } = await stopped.openStore());
    } catch (error) {
      const findings = createFindingLog();
      findings.readFailure('custody.entries', error);
      return unreadable(findings);
    }
    const topics = topicsOf(stopped.log);
    const deployment = loadDeployment(config.data_dir, config.deployment);
    evidence = await evidenceOf(config, deployment, scope);
    return await verifyStore({
      ...evidence,
      raw,
      states: stopped.log.states('ledger'),
      topics: () => Promise.resolve(topics),
      deployment,
      ...scope,
    });
  } finally {
    await evidence?.close();
    await stopped.close();
  }
}

async function verifyRunning(config: Config, scope: Scope): Promise<VerifyReport> {
  const [{ readEmbeddedLog }, { embeddedLogOf }, { verifyStore }, { systemClock }, { loadDeployment }] =
    await Promise.all([
      import('../streams/embedded/open-log.ts'),
      import('../pipeline/stopped-store.ts'),
      import('../sinks/store/verify-store.ts'),
      import('../runtime/clock.ts'),
      import('../runtime/deployment.ts'),
    ]);
  const logs: EmbeddedLog[] = [];
  const openLog = async () => {
    const log = await readEmbeddedLog({
      directory: join(config.data_dir, 'log'),
      config: embeddedLogOf(config),
      clock: systemClock,
    });
    logs.push(log);
    return log;
  };
  const sql = await openSqlAccess(config);
  const deployment = loadDeployment(config.data_dir, config.deployment);
  const evidence = await evidenceOf(config, deployment, scope);
  try {
    const log = await openLog();
    return await verifyStore({
      ...evidence,
      raw: rawOver(sql),
      states: log.states('ledger'),
      topics: async () => topicsOf(await openLog()),
      deployment,
      ...scope,
    });
  } finally {
    await evidence.close();
    await sql.close();
    for (const log of logs) await log.close();
  }
}

const CLAUSES = /^([\s\S]*) SETTINGS (.*) FORMAT (\w+)$/;

/** The statement over HTTP: the endpoint takes settings as URL parameters and refuses them in the text. */
export function rawOver(sql: SqlAccess): RawQuery {
  return async function* (statement) {
    const [, select = statement, clause = '', format = 'RowBinary'] = CLAUSES.exec(statement) ?? [];
    const settings: Record<string, string> = {};
    for (const assignment of clause.split(', ').filter(Boolean)) {
      const [name = '', value = ''] = assignment.split(' = ');
      settings[name] = value.replaceAll("'", '');
    }
    let body: Response['body'];
    try {
      ({ body } = await sql.query(select, { format, settings }));
    } catch (error) {
      if (!(error instanceof InputError) || error.code === 'unauthorized') throw error;
      // The endpoint answers in the engine's words, code first; that code tells damage from a limit.
      const words = new Error(error.message.replace(/^cannot query: /, ''));
      throw new PermanentError('rejected', 'cannot read the store: the engine refused', { cause: words });
    }
    if (body === null) return;
    try {
      for await (const chunk of body) yield chunk as Uint8Array;
    } catch (cause) {
      throw new TransientError('unavailable', 'cannot read the store: the answer broke off', { cause });
    }
  };
}

function unreadable(findings: {
  readonly first: VerifyReport['findings'];
  readonly total: number;
  verdict(): VerifyReport['verdict'];
}): VerifyReport {
  return {
    verdict: findings.verdict(),
    entries: 0,
    logs: 0,
    findings: findings.first,
    findings_total: findings.total,
    duplicates: 0,
    verified_up_to: [],
    signed: null,
    beyond_heads: 0,
    checks_not_done: ['everything: the store could not be opened'],
    took_ms: 0,
  };
}

function tenantOf(tenant: string | undefined): string | undefined {
  if (tenant === undefined || TENANT_PATTERN.test(tenant)) return tenant;
  throw new InputError('input_invalid', 'cannot verify: --tenant is not a tenant id');
}

function dayOf(since: string | undefined): number | undefined {
  if (since === undefined) return undefined;
  const ms = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(since) ? Date.parse(since) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InputError('input_invalid', 'cannot verify: --since is neither RFC 3339 nor YYYY-MM-DD');
  return Math.max(0, Math.floor(ms / 86_400_000));
}
