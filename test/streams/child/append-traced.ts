// Run under strace by embedded-durability.test.ts: marks on stderr when an append begins and when it resolves.
import { writeSync } from 'node:fs';
import { systemClock } from '../../../runtime/clock.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { logConfig } from '../embedded-harness.ts';

const [directory = ''] = process.argv.slice(2);
const log = await openEmbeddedLog({ directory, clock: systemClock, config: logConfig() });
const topic = log.topic('custody.events');
for (let round = 0; round < 5; round += 1) {
  writeSync(2, 'APPEND\n');
  await topic.append([{ key: 'tenant', value: Buffer.from(String(round)) }]);
  writeSync(2, 'RESOLVED\n');
}
await log.close();
