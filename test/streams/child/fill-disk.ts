// Run by embedded-durability.test.ts on a small file system of its own; prints what happened as one JSON line.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../runtime/clock.ts';
import { CustodyError } from '../../../runtime/errors.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { logConfig } from '../embedded-harness.ts';
import { patterned } from './pattern.ts';

const [directory = ''] = process.argv.slice(2);
const ballast = join(directory, 'ballast');
const open = () => openEmbeddedLog({ directory, clock: systemClock, config: logConfig() });
const codeOf = (error: unknown) => (error instanceof CustodyError ? error.code : String(error));

writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024));
let log = await open();
let topic = log.topic('custody.events');
const batch = (from: bigint) =>
  Array.from({ length: 30 }, (_, index) => ({ key: 'tenant', value: patterned(from + BigInt(index)) }));

let acknowledged = 0n;
const failures: string[] = [];
while (failures.length < 3) {
  try {
    await topic.append(batch(acknowledged));
    acknowledged += 30n;
  } catch (error) {
    failures.push(codeOf(error));
  }
}
const { end: endWhenFull } = await topic.bounds(0);

rmSync(ballast);
await topic.append(batch(acknowledged));
acknowledged += 30n;
await log.close();

log = await open();
topic = log.topic('custody.events');
let intact = 0n;
for await (const { value, offset } of topic.read(0, 0n)) {
  if (Buffer.compare(value, patterned(offset)) === 0 && offset === intact) intact += 1n;
}
await log.close();

writeFileSync(ballast, '');
try {
  for (;;) writeFileSync(ballast, Buffer.alloc(64 * 1024), { flag: 'a' });
} catch {
  // The disk is full now.
}
const openWhenFull = await open().then(() => 'open', codeOf);
process.stdout.write(
  `${JSON.stringify({
    failures,
    fullAt: Number(endWhenFull),
    acknowledged: Number(acknowledged),
    intact: Number(intact),
    openWhenFull,
  })}\n`,
);
