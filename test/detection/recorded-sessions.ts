import { fileURLToPath } from 'node:url';
import { readLabels, type SessionLabel } from '../../backtest/evaluate/labels.ts';
import { readRecording } from '../../backtest/recording/read-recording.ts';
import type { RecordedEvent } from '../../backtest/recording/recorded-event.ts';
import { createSessionClock } from '../../backtest/recording/session-clock.ts';
import { policyEvents } from '../../cli/backtest-policies.ts';
import { decodeLimits } from '../../collectors/otlp/limits.ts';
import { configSchema } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';

/** The recordings as events of the real collectors, read once. */
export interface Recordings {
  readonly warmup: readonly RecordedEvent[];
  readonly stream: readonly RecordedEvent[];
  readonly labels: readonly SessionLabel[];
  /** Registry and rules that count from the start. */
  readonly inForce: readonly CustodyEvent[];
}

export async function readRecordings(folder: URL): Promise<Recordings> {
  const path = (name: string) => fileURLToPath(new URL(name, folder));
  const limits = decodeLimits(configSchema.parse({}).ingest);
  const clock = createSessionClock();
  const read = async (name: string) => {
    const records: RecordedEvent[] = [];
    const options = { digestKey: Buffer.alloc(32, 7), limits, clock };
    for await (const record of readRecording(path(name), options)) records.push(record);
    return records;
  };
  const warmup = await read('warmup.mcp.jsonl.gz');
  const stream = await read('stream.mcp.jsonl.gz');
  const labels = await readLabels(path('stream.labels.jsonl.gz'));
  if (labels.kind !== 'sessions') throw new Error('the labels are not of sessions');
  const inForce = await policyEvents({ registry: path('registry.json'), rules: ['builtin'] });
  return { warmup, stream, labels: labels.labels, inForce };
}
