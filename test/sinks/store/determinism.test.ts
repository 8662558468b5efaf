import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { verifies } from '../../requirements.ts';
import { logConfig } from '../../streams/embedded-harness.ts';
import { sampleEvent } from '../../support/sample-event.ts';

const script = fileURLToPath(new URL('./child/write-ledger.ts', import.meta.url));

it('one log written by two processes in batches of different sizes gives identical rows', async () => {
  verifies('P3', 'P9');
  const directory = await mkdtemp(join(tmpdir(), 'custody-same-'));
  try {
    const [first, second] = [join(directory, 'a'), join(directory, 'b')];
    const log = await openEmbeddedLog({
      directory: join(first, 'log'),
      clock: systemClock,
      config: logConfig(),
    });
    await log.topic('custody.events').append(
      Array.from({ length: 700 }, (_, number) => {
        const key = ['acme', 'globex', '?'][number % 3] ?? '';
        return {
          key,
          value: number % 50 === 7 ? Buffer.from([0, 9, 10, 92, 255]) : sampleEvent(number, key),
        };
      }),
    );
    await log.close();
    await cp(first, second, { recursive: true });
    const write = (at: string, batchRecords: string) => {
      const out = execFileSync(process.execPath, ['--import', 'tsx', script, at, 'store', batchRecords], {
        maxBuffer: 64 * 1024 * 1024,
      });
      return (JSON.parse(out.toString().split('\n')[1] ?? '') as { leaves: unknown[][] }).leaves;
    };
    const rows = write(first, '1000');
    expect(rows).toHaveLength(703);
    expect(write(second, '33')).toEqual(rows);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
