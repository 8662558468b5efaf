import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { readRecording } from '../../../backtest/recording/read-recording.ts';
import type { RecordedEvent } from '../../../backtest/recording/recorded-event.ts';
import type { SessionClock } from '../../../backtest/recording/session-clock.ts';
import { decodeLimits } from '../../../collectors/otlp/limits.ts';
import { configSchema } from '../../../schemas/config.ts';
import { eventSchema } from '../../../schemas/event.ts';

/** A file of these lines, gone when the test is over. */
export function fileOf(lines: readonly (object | string)[], gzip = false): string {
  const folder = mkdtempSync(join(tmpdir(), 'custody-recording-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'recording.jsonl');
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  writeFileSync(file, gzip ? gzipSync(text) : text);
  return file;
}

/** Events of a recording of these lines, each checked against the schema, and what was left out. */
export async function eventsIn(
  lines: readonly (object | string)[],
  { gzip = false, clock }: { readonly gzip?: boolean; readonly clock?: SessionClock } = {},
): Promise<{ readonly events: RecordedEvent[]; readonly skipped: string[] }> {
  const skipped: string[] = [];
  const events: RecordedEvent[] = [];
  const limits = decodeLimits(configSchema.parse({}).ingest);
  const options = { digestKey: Buffer.alloc(32, 7), limits, ...(clock === undefined ? {} : { clock }) };
  for await (const recorded of readRecording(fileOf(lines, gzip), {
    ...options,
    onSkipped: (line, reason) => skipped.push(`${line}: ${reason}`),
  })) {
    eventSchema.parse(recorded.event);
    events.push(recorded);
  }
  return { events, skipped };
}
