import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { anchorOrigin, type AnchorAct } from '../evidence/anchor-log/entry.ts';
import type { Hold } from '../evidence/anchor-log/holds.ts';
import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import { InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { type ActFlags, enterAct, withActOptions } from './acts.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { openSqlAccess } from './sql-access.ts';
import { rawOver } from './verify.ts';

interface AddFlags extends ActFlags {
  readonly tenant?: string;
  readonly from?: string;
  readonly to?: string;
  readonly case?: string;
}

/** `custody hold`: legal holds. While one is in force, retention removes nothing of its days, nor of later ones. */
export function holdCommand(): Command {
  const hold = new Command('hold')
    .description('legal holds: days of which nothing may be removed')
    .addHelpText(
      'afterAll',
      `
Examples:
  custody hold add --operator counsel@example --reason "litigation" --case 2026-17
  custody hold add --operator counsel@example --reason "incident" --tenant acme --from 2026-10-01 --to 2026-10-14
  custody hold list --json
  custody hold release hold-6f1c... --operator counsel@example --reason "settled"

A hold keeps whole days, of every tenant, and every later day. It counts from the moment it is asked for, entered or not. Of days whose
removal was announced before it may come too late.`,
    );
  withActOptions(hold.command('add'))
    .description('let nothing of some days be removed; without days: nothing at all')
    .option('-t, --tenant <id>', 'whose evidence it is for; goes into the anchor log')
    .option('--from <day>', 'first UTC day, YYYY-MM-DD')
    .option('--to <day>', 'last UTC day, YYYY-MM-DD')
    .option('--case <id>', 'case or ticket, added to the reason')
    .action(async (flags: AddFlags) => {
      const act = holdAct(flags);
      await enterAct(configOf(flags), act, flags, { hold_id: act.hold_id });
    });
  withActOptions(hold.command('release'))
    .description('end a hold')
    .argument('<id>', 'of the hold (custody hold list)')
    .action(async (id: string, flags: ActFlags) => {
      const config = configOf(flags);
      const { entered, requested } = await holdsOf(config);
      if (requested.some((each) => each.id === id))
        throw new InputError('input_invalid', `cannot release ${id}: the notary has not entered it yet`);
      if (!entered.some((each) => each.id === id))
        throw new InputError('input_invalid', `cannot release ${id}: no such hold is in force`);
      const { operator, reason } = flags;
      await enterAct(config, { type: 'hold_released', hold_id: id, operator, reason }, flags, {
        hold_id: id,
      });
    });
  withCommonOptions(hold.command('list'))
    .description('the holds that are in force')
    .action(async (flags: CommonOptions) => {
      const { entered, requested } = await holdsOf(configOf(flags));
      const holds = [
        ...entered.map((each) => holdJson(each, 'in_force')),
        ...requested.map((each) => holdJson(each, 'requested')),
      ];
      process.stdout.write(flags.json === true ? `${JSON.stringify(holds)}\n` : holdText(holds));
    });
  return hold;
}

function holdAct({
  tenant,
  from,
  to,
  operator,
  reason,
  case: id,
}: AddFlags): Extract<AnchorAct, { type: 'hold' }> {
  if (tenant !== undefined && !TENANT_PATTERN.test(tenant))
    throw new InputError('input_invalid', 'cannot hold: --tenant is not a tenant id');
  for (const [option, day] of [['--from', from] as const, ['--to', to] as const])
    if (day !== undefined && !isDay(day))
      throw new InputError('input_invalid', `cannot hold: ${option} is not a day (YYYY-MM-DD)`);
  if (from !== undefined && to !== undefined && from > to)
    throw new InputError('input_invalid', 'cannot hold: --from is after --to');
  return {
    type: 'hold',
    hold_id: `hold-${randomUUID()}`,
    operator,
    reason: id === undefined ? reason : `${reason} (case ${id})`,
    ...(tenant === undefined ? {} : { tenant }),
    ...(from === undefined ? {} : { from_day: from }),
    ...(to === undefined ? {} : { to_day: to }),
  };
}

const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) &&
  !Number.isNaN(Date.parse(text)) &&
  new Date(text).toISOString().startsWith(text);

interface Holds {
  readonly entered: readonly Hold[];
  readonly requested: readonly Hold[];
}

/** Read from the anchor log as the notary signed it; where there is no notary yet, nothing is entered. */
async function holdsOf(config: Config): Promise<Holds> {
  const [{ readAnchorState }, { signedHeadsOf }] = await Promise.all([
    import('../retention/anchor-state.ts'),
    import('../retention/notary-door.ts'),
  ]);
  const sql = await openSqlAccess(config);
  try {
    const raw = rawOver(sql);
    const deployment = config.deployment ?? loadDeployment(config.data_dir, undefined);
    const heads = signedHeadsOf({ stateDir: notaryStateDir(config), raw, deployment, anchorsRequired: 0 });
    const signed = await heads.signed();
    const requested = await heads.requestedHolds();
    if (signed === undefined) return { entered: [], requested };
    const { holds } = await readAnchorState(raw, anchorOrigin(deployment), { signed, anchoredSize: 0n });
    const ids = new Set(holds.map(({ id }) => id));
    return { entered: holds, requested: requested.filter(({ id }) => !ids.has(id)) };
  } finally {
    await sql.close();
  }
}

type ListedHold = ReturnType<typeof holdJson>;

function holdJson(hold: Hold, state: 'in_force' | 'requested') {
  return {
    hold_id: hold.id,
    state,
    tenant: hold.tenant ?? null,
    from_day: hold.fromDay ?? null,
    to_day: hold.toDay ?? null,
    operator: hold.operator,
    reason: hold.reason,
    since: hold.timeMs === 0 ? null : new Date(hold.timeMs).toISOString(),
  };
}

/** Text of holds comes from whoever could ask the notary: nothing in it may steer a terminal. */
function holdText(holds: readonly ListedHold[]): string {
  if (holds.length === 0) return 'no holds\n';
  const plain = (text: string) => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
  return holds
    .map(({ hold_id, state, tenant, from_day, to_day, operator, reason, since }) => {
      const days = `${from_day ?? 'the beginning'} to ${to_day ?? 'the end'}`;
      const whose = tenant === null ? '' : ` for ${tenant}`;
      return `${plain(hold_id)}  ${state}  ${days}${whose}  by ${plain(operator)}${since === null ? '' : ` at ${since}`}: ${plain(reason)}\n`;
    })
    .join('');
}
