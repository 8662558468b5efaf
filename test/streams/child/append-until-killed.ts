// Run by embedded-durability.test.ts: appends for ever and prints a line for every acknowledged append.
import { systemClock } from '../../../runtime/clock.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { logConfig } from '../embedded-harness.ts';
import { patterned } from './pattern.ts';

const [directory = ''] = process.argv.slice(2);
const log = await openEmbeddedLog({ directory, clock: systemClock, config: logConfig() });
const topic = log.topic('custody.events');
let next = (await topic.bounds(0)).end;

async function appendForEver(): Promise<void> {
  while (true) {
    const first = next;
    const count = 1 + Number(first % 7n);
    next += BigInt(count);
    const places = await topic.append(
      Array.from({ length: count }, (_, index) => ({
        key: 'tenant',
        value: patterned(first + BigInt(index)),
      })),
    );
    process.stdout.write(`${places.map(({ offset }) => offset).join(' ')}\n`);
  }
}
await Promise.all([appendForEver(), appendForEver(), appendForEver()]);
