import { randomUUID } from 'node:crypto';
import type { SigningKey } from '../evidence/note/key.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Config } from '../schemas/config.ts';
import type { AttachTarget } from '../schemas/config/bundle.ts';
import { enterBundleAct } from './bundle-notary.ts';
import { interruptible } from './interruptible.ts';
import { createProgress } from './progress.ts';
import { secretsOf } from './secrets.ts';
import { version } from './version.ts';

/** Who attaches, and why. */
export interface AttachAct {
  readonly file: string;
  readonly actor: string;
  readonly role: string;
  readonly reason: string;
}

/** Takes a bundle to a target, then writes that down: in the file beside the bundle, and in the anchor log. */
export async function attachTo(
  config: Config,
  target: AttachTarget,
  { file, actor, role, reason }: AttachAct,
  key: SigningKey,
): Promise<string> {
  const [{ attachBundle }, { appendAct, readCustody }] = await Promise.all([
    import('../bundle/attach/attach.ts'),
    import('../bundle/custody-file.ts'),
  ]);
  const { caseId, digest } = await readCustody(file, [key]);
  const progress = createProgress(`attach ${target.id}`, 'bytes');
  const interrupt = interruptible();
  let location: string;
  try {
    ({ location } = await attachBundle(target, file, caseId, {
      ...{ clock: systemClock, signal: interrupt.signal, secrets: secretsOf(process.env) },
      onBytes: (done, total) => progress.update(done, total),
    }));
  } finally {
    progress.stop();
    interrupt.stop();
  }
  await appendAct(
    file,
    {
      ...{
        act_id: randomUUID(),
        action: 'attach',
        actor,
        role,
        reason,
        to: target.id,
        location: location.slice(0, 512),
      },
      ...{ tool: `mcp-custody ${version}`, time_ms: systemClock.nowMs(), time_source: 'system clock' },
    },
    key,
  );
  const act = { act: 'attached', digest, case: caseId, operator: actor, reason } as const;
  return `attached to ${location}; ${await enterBundleAct(config, act)}`;
}
