// Run by ledger-kill.test.ts and disk-full.test.ts: writes the log in the directory into the ledger beside it until everything is in, or it is killed.
import { join } from 'node:path';
import { systemClock } from '../../../../runtime/clock.ts';
import { openChdbStore } from '../../../../sinks/store/chdb-store.ts';
import { openEmbeddedLog } from '../../../../streams/embedded/open-log.ts';
import { logConfig } from '../../../streams/embedded-harness.ts';
import { ledgerOf, rowsOf } from '../ledger-harness.ts';

const [directory = '', storeName = 'store', batchRecords = '40'] = process.argv.slice(2);
const log = await openEmbeddedLog({
  directory: join(directory, 'log'),
  clock: systemClock,
  config: logConfig(),
});
const store = await openChdbStore({ path: join(directory, storeName) });
const events = log.topic('custody.events');
const writer = ledgerOf({
  store,
  state: log.state,
  events,
  config: { batch_max_records: Number(batchRecords) },
});
void writer.refused.then((error) => {
  process.stdout.write(`${JSON.stringify({ refused: error.message })}\n`);
  process.exitCode = 1;
});
await writer.start();
process.stdout.write('started\n');
const { end } = await events.bounds(0);
while ((await events.committed('ledger', 0)) !== end && process.exitCode === undefined) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await writer.stop();
const leaves = await rowsOf(
  store,
  'SELECT log, seq, koffset, lower(hex(leaf)), hex(body), toString(day), kind FROM custody.entries ORDER BY koffset, seq',
);
process.stdout.write(`${JSON.stringify({ leaves })}\n`);
await store.close();
await log.close();
