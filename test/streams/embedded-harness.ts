import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogConfig } from '../../schemas/config.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../streams/embedded/open-log.ts';

const MiB = 1024 * 1024;

export function logConfig(changes: Partial<LogConfig> = {}): LogConfig {
  return {
    type: 'embedded',
    partitions: 1,
    retention_hours: 1,
    unwritten_max_bytes: 64 * MiB,
    map_max_bytes: 1024 * MiB,
    ...changes,
  };
}

/** A clock that stands still until it is set. */
export function handClock(startMs = 1_700_000_000_000) {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    set: (ms: number) => void (nowMs = ms),
  };
}

export interface LogHarness {
  readonly directory: string;
  readonly clock: ReturnType<typeof handClock>;
  log(): EmbeddedLog;
  reopen(changes?: Partial<LogConfig>): Promise<void>;
  close(): Promise<void>;
}

/** An embedded log in a temporary directory that is removed on `close`. */
export async function startLog(changes: Partial<LogConfig> = {}): Promise<LogHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'custody-log-'));
  const clock = handClock();
  const open = (more: Partial<LogConfig>) =>
    openEmbeddedLog({ directory, clock, config: logConfig({ ...changes, ...more }) });
  let log = await open({});
  return {
    directory,
    clock,
    log: () => log,
    async reopen(more = {}) {
      await log.close();
      log = await open(more);
    },
    async close() {
      await log.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
