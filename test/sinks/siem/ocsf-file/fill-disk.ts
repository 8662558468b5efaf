import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CustodyError } from '../../../../runtime/errors.ts';
import { createOcsfFileSink } from '../../../../sinks/siem/ocsf-file/sink.ts';
import { sampleAlert } from '../sample-alert.ts';

/** Fills the small disk given as argument through a file sink, makes room, goes on; prints what happened. */
const folder = process.argv[2] ?? '';
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(24 * 1024));
const sink = createOcsfFileSink(
  { id: 'soc', type: 'ocsf_file', fsync: true, retry: { base_ms: 1, cap_ms: 1 } },
  { dataDir: folder },
);
await sink.start();
const { signal } = new AbortController();
const batch = (from: number) => Array.from({ length: 7 }, (_, index) => sampleAlert(from + index));
const file = join(folder, 'alerts', 'soc.ocsf.ndjson');
const linesNow = () => readFileSync(file, 'utf8').split('\n').slice(0, -1);
let written = 0;
let code = '';
while (code === '') {
  try {
    await sink.write(batch(written), signal);
    written += 7;
  } catch (error) {
    code = (error as CustodyError).code;
  }
}
const text = readFileSync(file, 'utf8');
const lines = linesNow().length;
rmSync(ballast);
await sink.write(batch(written), signal);
await sink.stop();
const afterRoom = linesNow().map((line) => JSON.parse(line) as unknown).length;
process.stdout.write(JSON.stringify({ written, code, lines, torn: !text.endsWith('\n'), afterRoom }));
