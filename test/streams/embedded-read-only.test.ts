import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { openEmbeddedLog, readEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

const config = embeddedLogConfig();
const reader = `
  import { readEmbeddedLog } from ${JSON.stringify(new URL('../../streams/embedded/open-log.ts', import.meta.url).href)};
  const log = await readEmbeddedLog({ directory: process.argv[1], config: ${JSON.stringify(config)}, clock: { nowMs: () => 0 } });
  const values = [];
  for await (const record of log.topic('custody.events').read(0, 0n)) values.push(Buffer.from(record.value).toString());
  const refused = await log.topic('custody.events').append([{ key: 'a', value: Buffer.from('x') }]).then(() => false, () => true);
  await log.close();
  process.stdout.write(JSON.stringify({ values, refused }));
`;

test('another process reads the log while its owner has it open, and cannot write', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'custody-log-'));
  const log = await openEmbeddedLog({ directory, config, clock: systemClock });
  await log.topic('custody.events').append([{ key: 'a', value: Buffer.from('one') }]);
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    reader,
    directory,
  ]);
  expect(JSON.parse(stdout)).toEqual({ values: ['one'], refused: true });
  await log.topic('custody.events').append([{ key: 'a', value: Buffer.from('two') }]);
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

test('a directory without a log cannot be read and is not made', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'custody-log-'));
  await expect(readEmbeddedLog({ directory, config, clock: systemClock })).rejects.toMatchObject({
    code: 'rejected',
  });
  await rm(directory, { recursive: true, force: true });
});
