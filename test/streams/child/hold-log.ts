// Run by embedded-lock.test.ts: opens the log, says whether it could, and keeps it until it is killed.
import { systemClock } from '../../../runtime/clock.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { logConfig } from '../embedded-harness.ts';

const [directory = ''] = process.argv.slice(2);
try {
  await openEmbeddedLog({ directory, clock: systemClock, config: logConfig() });
  process.stdout.write('open\n');
  setInterval(() => undefined, 60_000);
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code ?? 'bug'}\n`);
}
