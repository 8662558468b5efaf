/**
 * Cost of encrypting per subject: normalise + redact + encode for one audit event with a user, an approver, arguments and a
 * result, without and with sealing of the usual five members, over known subjects; then new subjects, which need a key on
 * disk each. CPU time of the process (the machine may be shared) but for new subjects, which wait for the disk; best of
 * five rounds; prints one JSON object.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { normalizeAudit } from '../collectors/normalize/audit.ts';
import { encodeEvent } from '../collectors/normalize/encode.ts';
import type { NormalizeContext } from '../collectors/normalize/context.ts';
import { createEventSealing } from '../collectors/seal-event.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { configSchema } from '../schemas/config.ts';
import { openKeyStore } from '../subjects/key-store.ts';
import { openKeysInUse } from '../subjects/keys-in-use.ts';

const EVENTS = 10_000;
const ROUNDS = 5;
const NEW_SUBJECTS = 500;
const context: NormalizeContext = {
  collector: 'audit_http',
  tenant: 'acme',
  tenantPinned: false,
  observedTimeUnixNano: '1790000000000000000',
  digestKey: Buffer.alloc(32, 7),
};

const eventAt = (index: number, users: number) =>
  normalizeAudit(
    {
      id: String(index),
      kind: 'tool_call',
      'tool.name': 'send_mail',
      'actor.id': 'desk-agent',
      'user.id': `user-${index % users}@example.com`,
      'policy.decision': 'allow',
      'policy.approver': `approver-${index % 20}@example.com`,
      'policy.reason': 'asked for in the weekly meeting',
      arguments: { path: `/srv/reports/${index}`, text: 'quarterly revenue by region and product line' },
      result: { lines: index % 100, text: 'sent' },
    },
    context,
  );

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const directory = await mkdtemp(join(tmpdir(), 'custody-bench-'));
const store = openKeyStore({ directory, kek: Buffer.alloc(32, 9), make: true, nowMs: Date.now() });
const logger = createLogger({ level: 'silent' });
const keys = openKeysInUse({ store, keysMax: 10_000, clock: systemClock, logger, metrics: createMetrics() });
const sealing = createEventSealing({
  config: configSchema.parse({}).subjects,
  keys,
  digestKey: context.digestKey,
});

for (let index = 0; index < 1000; index++) await Promise.all(sealing.seal(eventAt(index, 1000)).keysDurable);
let plain = Infinity;
let sealed = Infinity;
let plainBytes = 0;
let sealedBytes = 0;
for (let round = 0; round < ROUNDS; round++) {
  plainBytes = sealedBytes = 0;
  plain = Math.min(
    plain,
    cpuMicros(() => {
      for (let index = 0; index < EVENTS; index++) plainBytes += encodeEvent(eventAt(index, 1000)).length;
    }),
  );
  sealed = Math.min(
    sealed,
    cpuMicros(() => {
      for (let index = 0; index < EVENTS; index++)
        sealedBytes += encodeEvent(sealing.seal(eventAt(index, 1000)).event).length;
    }),
  );
}
const began = performance.now();
const waits: Promise<void>[] = [];
for (let index = 0; index < NEW_SUBJECTS; index++)
  waits.push(...sealing.seal(eventAt(1_000_000 + index, 10_000_000)).keysDurable);
await Promise.all(waits);
const newMs = performance.now() - began;
await keys.close();
await rm(directory, { recursive: true });

const micros = (total: number) => Number((total / EVENTS).toFixed(1));
process.stdout.write(
  `${JSON.stringify({
    plain_us_per_event: micros(plain),
    sealed_us_per_event: micros(sealed),
    plain_bytes_per_event: Math.round(plainBytes / EVENTS),
    sealed_bytes_per_event: Math.round(sealedBytes / EVENTS),
    new_subject_ms: Number((newMs / NEW_SUBJECTS).toFixed(2)),
  })}\n`,
);
