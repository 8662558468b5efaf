import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { Command } from 'commander';
import type { ActStatement } from '../bundle/custody-file.ts';
import type { CustodyAct } from '../evidence/custody-chain.ts';
import { systemClock } from '../runtime/clock.ts';
import { ConfigError } from '../runtime/errors.ts';
import { attachTo } from './bundle-attach.ts';
import { bundleKeyOf } from './bundle-key.ts';
import { enterBundleAct } from './bundle-notary.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { version } from './version.ts';

interface ActFlags extends CommonOptions {
  readonly actor?: string;
  readonly role: string;
  readonly reason: string;
  readonly approver?: string;
  readonly location?: string;
  readonly to?: string;
  readonly from?: string;
  readonly key?: string;
}

const EXAMPLES = `
Examples:
  custody bundle open inc-42.zip --actor dana --reason "analysis" --key dana.key
  custody bundle transfer inc-42.zip --actor dana --to "CERT, M. Example" --reason "handed over" --key dana.key
  custody bundle note inc-42.zip --actor dana --reason "copied to the evidence room" --location "room 4" --key dana.key
  custody bundle attach inc-42.zip --to tickets --reason "for the reviewers" --key dana.key

The act goes into <file>.custody.jsonl beside the bundle, signed, and names the one before it; keep both files together.`;

/** `custody bundle open`: writes down that somebody opened the bundle. */
export function bundleOpenCommand(): Command {
  return actCommand('open', 'write down that the bundle was opened').action((file: string, flags: ActFlags) =>
    act(file, flags, 'open', 'opened'),
  );
}

/** `custody bundle transfer`: writes down that the bundle was handed to somebody. */
export function bundleTransferCommand(): Command {
  return actCommand('transfer', 'write down that the bundle was handed on')
    .requiredOption('--to <name>', 'who has it now')
    .option('--from <name>', 'who had it (default: the actor)')
    .action((file: string, flags: ActFlags) => act(file, flags, 'transfer', 'transferred'));
}

/** `custody bundle note`: writes down anything else that was done with the bundle. */
export function bundleNoteCommand(): Command {
  return actCommand('note', 'write down anything else about the bundle').action(
    (file: string, flags: ActFlags) => act(file, flags, 'note', undefined),
  );
}

/** `custody bundle attach`: takes a bundle to a target of the configuration. */
export function bundleAttachCommand(): Command {
  return actCommand('attach', 'take the bundle to a ticket or a bucket with object lock')
    .requiredOption('--to <id>', 'target of the configuration (bundle.attach)')
    .action(async (file: string, flags: ActFlags) => {
      const config = configOf(flags);
      const target = config.bundle.attach.find(({ id }) => id === flags.to);
      if (target === undefined)
        throw new ConfigError(`cannot attach to ${flags.to ?? ''}: bundle.attach has no such target`, {
          path: '--to',
        });
      const actor = flags.actor ?? userInfo().username;
      const { role, reason } = flags;
      const text = await attachTo(
        config,
        target,
        { file, actor, role, reason },
        bundleKeyOf(flags.key, config),
      );
      process.stdout.write(flags.json === true ? `${JSON.stringify({ attached: text })}\n` : `${text}\n`);
    });
}

function actCommand(name: string, description: string): Command {
  return withCommonOptions(new Command(name))
    .description(description)
    .argument('<file>', 'the bundle')
    .option('--actor <name>', 'who does it (default: the user of this process)')
    .option('--role <name>', 'in what role', 'operator')
    .requiredOption('--reason <text>', 'why')
    .option('--approver <name>', 'who allowed it')
    .option('--location <text>', 'where')
    .option('-k, --key <file>', 'signs the act (default: bundle.key)')
    .addHelpText('after', EXAMPLES);
}

async function act(
  file: string,
  flags: ActFlags,
  action: CustodyAct['action'],
  entered: 'opened' | 'transferred' | undefined,
): Promise<void> {
  const config = configOf(flags);
  const { appendAct } = await import('../bundle/custody-file.ts');
  const actor = flags.actor ?? userInfo().username;
  const statement: ActStatement = {
    ...{ act_id: randomUUID(), action, actor, role: flags.role, reason: flags.reason },
    ...{ tool: `mcp-custody ${version}`, time_ms: systemClock.nowMs(), time_source: 'system clock' },
    ...(flags.approver === undefined ? {} : { approver: flags.approver }),
    ...(flags.location === undefined ? {} : { location: flags.location }),
    ...(action === 'transfer' ? { from: flags.from ?? actor } : {}),
    ...(flags.to === undefined ? {} : { to: flags.to }),
  };
  const signed = await appendAct(file, statement, bundleKeyOf(flags.key, config));
  const place =
    entered === undefined
      ? undefined
      : await enterBundleAct(config, {
          ...{ act: entered, digest: signed.bundle_digest ?? '', case: signed.case },
          ...{ operator: actor, reason: flags.reason },
        });
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ ...signed, ...(place === undefined ? {} : { anchor_log: place }) })}\n`
      : `act ${signed.seq} (${action}) in ${file}.custody.jsonl\n${place === undefined ? '' : `${place}\n`}`,
  );
}
