import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openField } from '../../evidence/sealed-field.ts';
import { xaesKey } from '../../evidence/xaes.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { readKey } from '../../subjects/key-store.ts';
import { verifies } from '../requirements.ts';
import { keyDirectory } from '../subjects/key-directory.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

it('after kill -9 in the middle of new subjects every record in the log can be read', async () => {
  verifies('P1');
  const here = await keyDirectory();
  const directory = await mkdtemp(join(tmpdir(), 'custody-sealed-log-'));
  const script = fileURLToPath(new URL('../subjects/child/collect-until-killed.ts', import.meta.url));
  let acknowledged = 0;
  for (const requests of [3, 20]) {
    const child = spawn(process.execPath, ['--import', 'tsx', script, directory, here.directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString().split('\n').length - 1;
      if (seen >= requests) child.kill('SIGKILL');
    });
    expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
    acknowledged += seen * 8;
  }
  const log = await openEmbeddedLog({ directory, config: embeddedLogConfig(), clock: systemClock });
  const topic = log.topic('custody.events');
  let readable = 0;
  for (let partition = 0; partition < topic.partitions; partition++) {
    for await (const { value } of topic.read(partition, 0n)) {
      const event = JSON.parse(Buffer.from(value).toString()) as CustodyEvent;
      const field = event.sealed?.['actor.user_id'];
      if (field === undefined) throw new Error('a record is not sealed');
      const key = readKey(here.store, event.tenant, field.subject);
      const place = { tenant: event.tenant, eventId: event.event_id, path: 'actor.user_id' };
      const opened = key === undefined ? 'no key' : openField(xaesKey(key.key), field, place);
      expect(opened).toMatchObject({ value: expect.stringMatching(/@example\.com$/) });
      readable++;
    }
  }
  expect(readable).toBeGreaterThanOrEqual(acknowledged);
  await log.close();
  await rm(directory, { recursive: true, force: true });
  await here.close();
});
