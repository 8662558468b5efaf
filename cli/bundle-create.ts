import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { Command } from 'commander';
import type { BundleMode } from '../bundle/case-data.ts';
import type { BundleStep, CreatedBundle } from '../bundle/create.ts';
import type { CaseQuery } from '../bundle/scope.ts';
import { systemClock } from '../runtime/clock.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { whyNotUrl } from '../schemas/config/loopback.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { attachTo } from './bundle-attach.ts';
import { bundleKeyOf } from './bundle-key.ts';
import { enterBundleAct } from './bundle-notary.ts';
import { interruptible } from './interruptible.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { createProgress, type Progress } from './progress.ts';
import { receiptKeyOf } from './receipt-key.ts';
import { openSqlAccess } from './sql-access.ts';
import { rawOver } from './verify.ts';
import { version } from './version.ts';

interface CreateFlags extends CommonOptions {
  readonly case: string;
  readonly alert?: string;
  readonly session?: string;
  readonly tenant?: string;
  readonly from?: string;
  readonly to?: string;
  readonly question?: string;
  readonly operator?: string;
  readonly role: string;
  readonly reason?: string;
  readonly key?: string;
  readonly out: string;
  readonly selection?: boolean;
  readonly timestamp?: string;
  readonly attach?: readonly string[];
  readonly wait: string;
  readonly evenIfInvalid?: boolean;
}

/** Names in bag-info.txt, in paths and in objects: one line without surprises. */
const CASE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const POLL_MS = 500;

/** `custody bundle create`: exports a case from a running or a stopped pipeline. */
export function bundleCreateCommand(): Command {
  return withCommonOptions(new Command('create'))
    .description('export the evidence of a case into one file')
    .requiredOption('--case <id>', 'case or ticket, such as INC-42')
    .option('--alert <id>', 'what this alert is about: its session and its evidence')
    .option('--session <key>', 'what one agent task did')
    .option('-t, --tenant <id>', 'whose, with --from and --to, or where several have the session')
    .option('--from <time>', 'first append time (RFC 3339)')
    .option('--to <time>', 'last append time, inclusive (RFC 3339)')
    .option('--question <text>', 'what the case is to answer')
    .option('--operator <name>', 'who exports (default: the user of this process)')
    .option('--role <name>', 'in what role', 'operator')
    .option('--reason <text>', 'why')
    .option('-k, --key <file>', 'seals the bundle and signs the chain of custody (default: bundle.key)')
    .requiredOption('-o, --out <file>', 'the bundle, a zip; never overwritten')
    .option('--selection', 'only the entries that were asked for; proves no completeness')
    .option('--timestamp <url>', 'RFC 3161 authority that says when it was sealed')
    .option('--attach <id...>', 'targets of the configuration (bundle.attach) to take it to')
    .option('--wait <seconds>', 'how long to wait for a signed checkpoint', '60')
    .option(
      '--even-if-invalid',
      'export although the store contradicts its checkpoints; never verifies as valid',
    )
    .addHelpText(
      'after',
      `
Examples:
  custody keys new --name "$DEPLOYMENT/bundle" --use log --out bundle.key
  custody bundle create --case INC-42 --alert 7d0f… --key bundle.key --out inc-42.zip
  custody bundle create --case INC-42 --session s-17 --selection --key bundle.key --out small.zip
  custody bundle create --case AUDIT-7 --tenant acme --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z \\
    --key bundle.key --out day.zip --timestamp http://127.0.0.1:2020/ --attach tickets

Without --selection whole windows of every log of the tenant go in, so that nothing in between can be missing. It needs
about five times the size of the entries beside the file while it works.`,
    )
    .action(async (flags: CreateFlags) => {
      const config = configOf(flags);
      const request = requestOf(flags, config);
      const targets = (flags.attach ?? []).map((id) => targetOf(config, id));
      const timestampUrl = timestampUrlOf(flags.timestamp);
      const [{ createBundle }, { createReceiptSource }, { caseRenderers }, { tagFiles }, { timestampFrom }] =
        await Promise.all([
          import('../bundle/create.ts'),
          import('../bundle/receipts.ts'),
          import('../bundle/renderers.ts'),
          import('../bundle/tag-files.ts'),
          import('../bundle/timestamp.ts'),
        ]);
      const steps = stepProgress();
      const interrupt = interruptible();
      const sql = await openSqlAccess(config);
      let created: CreatedBundle;
      try {
        const raw = rawOver(sql);
        created = await createBundle(request, {
          raw,
          deployment: loadDeployment(config.data_dir, config.deployment),
          clock: systemClock,
          newId: randomUUID,
          tool: { name: 'mcp-custody', version },
          signal: interrupt.signal,
          onProgress: (step, done, total) => steps.update(step, done, total),
          wait: {
            timeoutMs: sql.live ? Number(flags.wait) * 1000 : 0,
            pollMs: POLL_MS,
            sleep: (ms) => interrupt.sleep(ms),
            onWait: ({ log, seq }) =>
              process.stderr.write(`waiting for a signed checkpoint that covers entry ${seq} of ${log}\n`),
          },
          renderers: caseRenderers,
          tagFiles: await tagFiles(request.caseId, request.key),
          receipts: createReceiptSource(raw, receiptKeyOf(config)),
          timestamp: timestampUrl && timestampFrom(timestampUrl, systemClock),
        });
      } finally {
        steps.stop();
        interrupt.stop();
        await sql.close();
      }
      const { operator, reason, caseId } = request;
      const place = await enterBundleAct(config, {
        ...{ act: 'created', digest: created.sha256, case: caseId, operator, reason },
      });
      const attached: string[] = [];
      for (const target of targets)
        attached.push(
          await attachTo(
            config,
            target,
            { file: flags.out, actor: operator, role: flags.role, reason },
            request.key,
          ),
        );
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ ...summaryOf(created, flags.out), anchor_log: place, attached })}\n`
          : describe(created, flags.out, [place, ...attached]),
      );
    });
}

function requestOf(flags: CreateFlags, config: Config) {
  if (!CASE_ID.test(flags.case))
    throw new ConfigError(
      'cannot bundle: --case must be up to 63 letters, digits, dots, dashes and underscores',
      {
        path: '--case',
      },
    );
  if (!/^\d{1,6}$/.test(flags.wait))
    throw new ConfigError('cannot bundle: --wait is not a number of seconds', { path: '--wait' });
  const mode: BundleMode = flags.selection === true ? 'selection' : 'range';
  return {
    caseId: flags.case,
    question: flags.question,
    operator: flags.operator ?? userInfo().username,
    role: flags.role,
    reason: flags.reason ?? 'not stated',
    query: queryOf(flags),
    mode,
    outFile: flags.out,
    key: bundleKeyOf(flags.key, config),
    evenIfInvalid: flags.evenIfInvalid === true,
  };
}

function queryOf({ alert, session, tenant, from, to }: CreateFlags): CaseQuery {
  const wrong = (reason: string, path: string) => new ConfigError(`cannot bundle: ${reason}`, { path });
  if (tenant !== undefined && !TENANT_PATTERN.test(tenant))
    throw wrong('--tenant is not a tenant id', '--tenant');
  const isWindow = from !== undefined || to !== undefined;
  if ([alert !== undefined, session !== undefined, isWindow].filter(Boolean).length !== 1)
    throw wrong('say what to export with one of --alert, --session, or --from and --to', '--alert');
  if (alert !== undefined) return { kind: 'alert', alertId: alert };
  if (session !== undefined) return { kind: 'session', sessionKey: session, tenant };
  if (tenant === undefined) throw wrong('--from and --to need --tenant', '--tenant');
  const [fromMs, toMs] = [timeOf(from, '--from'), timeOf(to, '--to')];
  if (fromMs > toMs) throw wrong('--from is after --to', '--from');
  return { kind: 'window', tenant, fromMs, toMs };
}

function timeOf(text: string | undefined, path: string): number {
  const isTime =
    text !== undefined && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const timeMs = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs) || timeMs < 0)
    throw new ConfigError(`cannot bundle: ${path} must be a time such as 2026-11-01T00:00:00Z`, { path });
  return timeMs;
}

function timestampUrlOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  // Only a hash is sent and the token is signed: the network in between can spoil it, and cannot forge it.
  const reason = url === null ? 'it is no URL' : whyNotUrl(text, true);
  if (url === null || reason !== undefined)
    throw new ConfigError(`cannot use --timestamp: ${reason ?? ''}`, { path: '--timestamp' });
  return url;
}

function targetOf(config: Config, id: string) {
  const target = config.bundle.attach.find((each) => each.id === id);
  if (target === undefined)
    throw new ConfigError(`cannot attach to ${id}: bundle.attach has no such target`, { path: '--attach' });
  return target;
}

const STEPS: Readonly<Record<BundleStep, { readonly label: string; readonly unit: string } | undefined>> = {
  find: undefined,
  wait: undefined,
  entries: { label: 'read  ', unit: 'entries' },
  render: { label: 'render', unit: 'entries' },
  zip: { label: 'zip   ', unit: 'bytes' },
};

/** One bar for each step, on a terminal. */
function stepProgress() {
  let at: BundleStep | undefined;
  let bar: Progress | undefined;
  return {
    update(step: BundleStep, done: number, total: number) {
      const shown = STEPS[step];
      if (step !== at) {
        bar?.stop();
        bar = shown && createProgress(shown.label, shown.unit);
        at = step;
      }
      bar?.update(done, total);
    },
    stop: () => bar?.stop(),
  };
}

const summaryOf = (created: CreatedBundle, file: string) => ({
  file,
  case: created.caseId,
  mode: created.mode,
  sha256: created.sha256,
  bytes: created.bytes,
  entries: created.entryCount,
  logs: created.logs.map(({ log, fromSeq, toSeq }) => ({
    log,
    from_seq: String(fromSeq),
    to_seq: String(toSeq),
  })),
  findings: created.findings,
  left_out: created.leftOut,
});

function describe(created: CreatedBundle, file: string, notes: readonly string[]): string {
  const kind = created.mode === 'range' ? 'whole windows' : 'a selection, no completeness';
  const lines = [
    `${file}: ${created.entryCount} entries of ${created.logs.length} logs (${kind})`,
    `sha256 ${created.sha256}`,
    ...created.findings.map(
      ({ cause, log, seq, detail }) => `NOT VALID: ${cause} in ${log} at ${seq ?? '?'}: ${detail}`,
    ),
    ...created.leftOut.map((text) => `left out: ${text}`),
    ...notes,
  ];
  return `${lines.join('\n')}\n`;
}
