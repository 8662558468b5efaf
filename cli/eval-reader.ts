import { readRecording } from '../backtest/recording/read-recording.ts';
import type { RecordedEvent } from '../backtest/recording/recorded-event.ts';
import { createSessionClock } from '../backtest/recording/session-clock.ts';
import { decodeLimits } from '../collectors/otlp/limits.ts';
import type { Config } from '../schemas/config.ts';

/** Digests and fingerprints of recordings are compared with each other only: any key will do, if it is the same. */
const RECORDING_KEY = Buffer.from('custody evaluation of recordings');

/** Reads recordings one after another on one clock, with a line on stderr for what could not be read. */
export function createReader(config: Config) {
  const clock = createSessionClock();
  const skipped: string[] = [];
  let skippedCount = 0;
  return {
    async *records(file: string, name: string): AsyncGenerator<RecordedEvent> {
      const onSkipped = (line: number, reason: string) => {
        skippedCount += 1;
        if (skipped.length < 3) skipped.push(`${name} line ${line}: ${reason}`);
      };
      const limits = decodeLimits(config.ingest);
      yield* readRecording(file, { digestKey: RECORDING_KEY, limits, clock, onSkipped });
    },
    tellSkipped() {
      if (skippedCount === 0) return;
      process.stderr.write(`left out ${skippedCount} records: ${skipped.join('; ')}\n`);
    },
  };
}
