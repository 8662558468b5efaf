// Publishes larger and larger checkpoints until the file takes no more; says how far it came. Run under a size limit.
import { createAnchor } from '../../../notary/anchors/create-anchor.ts';
import { CustodyError } from '../../../runtime/errors.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { anchor } from '../../../schemas/config/anchors.ts';
import { sampleLog } from './sample-log.ts';

process.on('SIGXFSZ', () => undefined);
const log = sampleLog();
const opened = await createAnchor(anchor.parse({ id: 'disk', type: 'file', path: process.argv[2] }), {
  clock: systemClock,
  logger: createLogger({ level: 'silent' }),
  secrets: () => '',
});
for (let size = 1; size <= 64; size += 1) {
  try {
    await opened.publish(log.at(size));
  } catch (error) {
    const { code, name } = error as CustodyError;
    process.stdout.write(JSON.stringify({ last: size - 1, code, kind: name }));
    break;
  }
}
