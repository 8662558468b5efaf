import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadDigestKey } from '../../runtime/digest-key.ts';
import { createLineSplitter } from '../../runtime/line-splitter.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { encodeEvent } from '../normalize/encode.ts';
import type { Direction, McpTap } from '../normalize/mcp.ts';
import type { ProvenanceSettings } from '../normalize/provenance/settings.ts';
import { createConversation } from './conversation.ts';
import { startDelivery } from './delivery.ts';
import { describeCommand } from './server-command.ts';
import { eventsEndpoint } from './post-events.ts';
import { openSpool, type Spool } from './spool.ts';
import { claimOrphan, OWNER_TOUCH_INTERVAL_MS, touchOwner, writeOwner } from './spool-owner.ts';

/** Plain data: it crosses into the recorder's thread. */
export interface RecorderOptions {
  readonly tap: McpTap;
  readonly tenant: string;
  readonly command: readonly string[];
  /** What the agent was asked, in words; only fingerprints of them are recorded. */
  readonly intent?: string | undefined;
  /** Absent: the defaults. */
  readonly provenance?: ProvenanceSettings | undefined;
  readonly dataDir: string;
  readonly collector: string;
  readonly token: string | undefined;
  readonly spoolMaxBytes: number;
  readonly lineMaxBytes: number;
  readonly requestTimeoutMs: number;
  readonly drainMs: number;
}

export interface Notice {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The server could not be started at all. */
  readonly spawnError?: string;
}

/** Records what passes between client and server: to disk within `FLUSH_MS`, to the collector as soon as it takes it. */
export interface Recorder {
  chunk(direction: Direction, bytes: Uint8Array, timeMs: number): void;
  /** Bytes of this direction that were forwarded but not handed over. */
  missed(direction: Direction, sizeBytes: number, timeMs: number): void;
  /** Writes the end; resolves when all is on disk. */
  end(exit: ServerExit, timeMs: number): void;
  /** After `end`: sends what the collector takes within the drain time, then lets go of the spool. */
  close(): Promise<void>;
}

/** With the fsync after it, the longest a forwarded message stays unsaved; a kill -9 loses no more than this. */
const FLUSH_MS = 20;
const FLUSH_BYTES = 1024 * 1024;
const RESERVE_BYTES = 64 * 1024;
const SEGMENT_MAX_BYTES = 8 * 1024 * 1024;
const OVERSIZE_HEAD_BYTES = 4096;

/** Starts recording; throws a CustodyError or the file system's error if the data directory cannot be used. */
export function startRecorder(
  options: RecorderOptions,
  startMs: number,
  onNotice: (notice: Notice) => void,
): Recorder {
  const endpoint = eventsEndpoint(options.collector, options.token, options.requestTimeoutMs);
  const digestKey = loadDigestKey(options.dataDir);
  const spoolRoot = join(options.dataDir, 'spool');
  mkdirSync(spoolRoot, { recursive: true, mode: 0o700 });
  const open = (directory: string) =>
    openSpool({
      directory,
      maxBytes: options.spoolMaxBytes,
      reserveBytes: Math.min(RESERVE_BYTES, Math.floor(options.spoolMaxBytes / 4)),
      segmentMaxBytes: Math.min(SEGMENT_MAX_BYTES, Math.ceil(options.spoolMaxBytes / 8)),
    });
  const spool = open(join(spoolRoot, options.tap.instance));
  writeOwner(spool.directory);
  const touch = setInterval(() => touchOwner(spool.directory, Date.now()), OWNER_TOUCH_INTERVAL_MS).unref();

  const conversation = createConversation({
    tap: options.tap,
    tenant: options.tenant,
    digestKey,
    provenance: options.provenance,
  });
  const journal = createJournal(spool, (attributes) => conversation.gap(unixNanoOf(lastMs), attributes));
  const delivery = startDelivery({
    endpoint,
    spool,
    claim: () => {
      const directory = claimOrphan(spoolRoot, options.tap.instance, Date.now());
      return directory === undefined ? undefined : open(directory);
    },
    onRefused: (ndjson) => {
      keepRefused(join(spoolRoot, 'refused.ndjson'), ndjson, options.spoolMaxBytes);
      journal.lost('refused', 1);
    },
    onChange: (state, reason) =>
      onNotice(
        state === 'failing'
          ? { level: 'warn', message: `${reason}; keeping records in ${dirname(spool.directory)}` }
          : { level: 'info', message: reason },
      ),
    random: Math.random,
  });
  journal.onWritten(() => delivery.wake());

  let lastMs = startMs;
  let lineTimeMs = startMs;
  const splitterFor = (direction: Direction) =>
    createLineSplitter({
      lineMaxBytes: options.lineMaxBytes,
      headBytes: OVERSIZE_HEAD_BYTES,
      digestKey,
      onLine: (line) => journal.add(() => conversation.observe(line, direction, unixNanoOf(lineTimeMs))),
    });
  const splitters = {
    client_to_server: splitterFor('client_to_server'),
    server_to_client: splitterFor('server_to_client'),
  };
  const at = (timeMs: number) => {
    lineTimeMs = timeMs;
    lastMs = Math.max(lastMs, timeMs);
  };

  journal.add(() => [
    conversation.start(unixNanoOf(startMs), describeCommand(options.command), options.intent),
  ]);
  return {
    chunk(direction, bytes, timeMs) {
      at(timeMs);
      splitters[direction].push(bytes);
    },
    missed(direction, sizeBytes, timeMs) {
      at(timeMs);
      splitters[direction].skipToNextLine();
      journal.add(() => [
        conversation.gap(unixNanoOf(timeMs), {
          'custody.gap.reason': 'recorder_stalled',
          'custody.gap.lost_bytes': sizeBytes,
          'mcp.direction': direction,
        }),
      ]);
    },
    end(exit, timeMs) {
      at(timeMs);
      splitters.client_to_server.end();
      splitters.server_to_client.end();
      journal.add(() => conversation.end(unixNanoOf(timeMs), exitAttributes(exit)));
      journal.finish();
    },
    async close() {
      clearInterval(touch);
      await delivery.drain(options.drainMs);
      spool.close();
    },
  };
}

interface Journal {
  add(make: () => Iterable<CustodyEvent>): void;
  lost(reason: string, count: number): void;
  onWritten(listener: () => void): void;
  finish(): void;
}

/** Collects events into durable appends, and turns what could not be kept into gap events that say how many. */
function createJournal(
  spool: Spool,
  gapEvent: (attributes: Record<string, string | number>) => CustodyEvent,
): Journal {
  let lines: Uint8Array[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let lost = { count: 0, reason: '', isMarked: false };
  let written: () => void = () => undefined;

  const gap = (state: 'begun' | 'ended') =>
    encodeEvent(
      gapEvent({
        'custody.gap.reason': lost.reason,
        'custody.gap.lost_events': lost.count,
        'custody.gap.state': state,
      }),
    );

  const note = (reason: string, count: number) => {
    lost = { ...lost, count: lost.count + count, reason };
  };

  const isKept = (line: Uint8Array) => {
    const isWritten = spool.append([line], { useReserve: true }).lost === 0;
    if (!isWritten) note(lost.reason, 1);
    return isWritten;
  };

  const flush = (isLast: boolean) => {
    clearTimeout(timer);
    timer = undefined;
    const batch = lines;
    lines = [];
    bytes = 0;
    const outcome = spool.append(batch);
    if (outcome.lost > 0) note(outcome.reason ?? 'disk_error', outcome.lost);
    if (lost.count > 0 && (outcome.lost === 0 || isLast)) {
      if (isKept(gap('ended'))) lost = { count: 0, reason: '', isMarked: false };
    } else if (lost.count > 0 && !lost.isMarked) {
      // Said at once, from space kept for it, so that even a kill -9 right now leaves no silent gap.
      lost.isMarked = isKept(gap('begun'));
    }
    written();
  };

  return {
    add(make) {
      try {
        for (const event of make()) {
          const line = encodeEvent(event);
          lines.push(line);
          bytes += line.length;
          if (bytes >= FLUSH_BYTES) flush(false);
        }
      } catch {
        // A message we cannot describe must not end the recording of those after it.
        note('not_recordable', 1);
      }
      timer ??= setTimeout(() => flush(false), FLUSH_MS);
    },
    lost(reason, count) {
      note(reason, count);
      timer ??= setTimeout(() => flush(false), FLUSH_MS);
    },
    onWritten: (listener) => (written = listener),
    finish: () => flush(true),
  };
}

/** Microsecond resolution: a local server answers within one millisecond. */
function unixNanoOf(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}

function keepRefused(path: string, ndjson: Uint8Array, maxBytes: number): void {
  try {
    if (ndjson.length <= maxBytes) appendFileSync(path, ndjson, { mode: 0o600 });
  } catch {
    // The gap event says that it was refused; the copy is a convenience for whoever looks into it.
  }
}

function exitAttributes(exit: ServerExit): Record<string, string | number> {
  return {
    ...(exit.code === null ? {} : { 'process.exit.code': exit.code }),
    ...(exit.signal === null ? {} : { 'process.exit.signal': exit.signal }),
    ...(exit.spawnError === undefined ? {} : { 'error.type': exit.spawnError }),
  };
}
