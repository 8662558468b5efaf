import { createOcsfFileSink } from '../../../../sinks/siem/ocsf-file/sink.ts';
import { sampleAlert } from '../sample-alert.ts';

/** Writes alerts to a file sink until it is killed; prints the count of acknowledged alerts after each. */
const sink = createOcsfFileSink(
  { id: 'soc', type: 'ocsf_file', fsync: true, retry: { base_ms: 1, cap_ms: 1 } },
  { dataDir: process.argv[2] ?? '' },
);
await sink.start();
for (let n = 1; ; n += 1) {
  await sink.write([sampleAlert(n, { reason: 'r'.repeat(2000) })], new AbortController().signal);
  process.stdout.write(`${n}\n`);
}
