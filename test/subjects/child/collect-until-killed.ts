// Run by seal-durability.test.ts: takes records of ever new people and prints a line for every acknowledged request.
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { takeAudit } from '../../../collectors/audit/take.ts';
import { createEventSealing } from '../../../collectors/seal-event.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { configSchema } from '../../../schemas/config.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { openKeyStore } from '../../../subjects/key-store.ts';
import { openKeysInUse } from '../../../subjects/keys-in-use.ts';
import { embeddedLogConfig } from '../../support/embedded-log-config.ts';
import { DIGEST_KEY, KEK } from '../key-directory.ts';

const [logDirectory = '', directory = ''] = process.argv.slice(2);
const config = configSchema.parse({});
const logger = pino({ level: 'silent' });
const metrics = createMetrics();
const clock = systemClock;
const log = await openEmbeddedLog({ directory: logDirectory, config: embeddedLogConfig(), clock });
const store = openKeyStore({ directory, kek: KEK, make: true, nowMs: Date.now() });
const keys = openKeysInUse({ store, keysMax: 100, clock, logger, metrics });
const deps = {
  config: config.ingest,
  tokens: [],
  events: log.topic('custody.events'),
  deadletter: log.topic('custody.deadletter'),
  digestKey: DIGEST_KEY,
  sealing: createEventSealing({ config: config.subjects, keys, digestKey: DIGEST_KEY }),
  clock,
  logger,
  metrics,
};
const context = {
  collector: 'audit_http',
  tenant: 'acme',
  tenantPinned: true,
  observedTimeUnixNano: '1790000000000000000',
  digestKey: DIGEST_KEY,
} as const;

async function takeForEver(): Promise<void> {
  while (true) {
    const lines = Array.from({ length: 8 }, () =>
      JSON.stringify({ id: randomUUID(), 'tool.name': 't', 'user.id': `${randomUUID()}@example.com` }),
    );
    await takeAudit(deps, context, 'audit', 'ndjson', Buffer.from(lines.join('\n')));
    process.stdout.write('acknowledged\n');
  }
}
await Promise.all([takeForEver(), takeForEver(), takeForEver()]);
