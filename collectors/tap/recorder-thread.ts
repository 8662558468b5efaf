import { startThread } from '../../runtime/worker-thread.ts';
import type { Direction } from '../normalize/mcp.ts';
import type { FromWorker, ToWorker } from './recorder-worker.ts';
import type { Notice, RecorderOptions, ServerExit } from './recorder.ts';

/** The forwarding side's view of the recorder. Nothing in here throws or waits without a bound. */
export interface RecorderThread {
  /** Copies the chunk for recording; call it after the chunk was forwarded. */
  observe(direction: Direction, chunk: Uint8Array): void;
  /** Pending while the recorder is so far behind that reading should pause; never for longer than it makes progress. */
  caughtUp(): Promise<void> | undefined;
  /** Ends the recording; resolves when all is delivered or spooled. `hurry` skips the delivery. */
  end(exit: ServerExit, hurry: AbortSignal): Promise<void>;
}

export interface RecorderThreadOptions {
  readonly recorder: RecorderOptions;
  readonly nowMs: () => number;
  readonly onNotice: (notice: Notice) => void;
}

const BEHIND_BYTES = 32 * 1024 * 1024;
const STALLED_AFTER_MS = 1000;
/** Over the drain time: to read the backlog and write it to disk. */
const END_MARGIN_MS = 8000;
const HEAP_MAX_MIB = 1024;

export function startRecorderThread(options: RecorderThreadOptions): RecorderThread {
  const worker = startThread(new URL('./recorder-worker', import.meta.url), {
    workerData: { options: options.recorder, startMs: options.nowMs() },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MIB },
    stdout: true, // never our stdout: that is the client's
  });
  const waiting = new Set<() => void>();
  const missed = { client_to_server: 0, server_to_client: 0 };
  let behindBytes = 0;
  let isStalled = false;
  let state: 'running' | 'saved' | 'over' = 'running';

  const release = () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const stop = (reason: string) => {
    if (state === 'over') return;
    state = 'over';
    options.onNotice({ level: 'warn', message: `recording has stopped, the MCP session goes on: ${reason}` });
    release();
  };
  const post = (message: ToWorker, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer);

  worker.on('error', (error) => stop(`the recorder failed (${error.name})`));
  worker.on('exit', () => stop('the recorder ended'));
  worker.on('message', (message: FromWorker) => {
    switch (message.kind) {
      case 'taken':
        behindBytes -= message.sizeBytes;
        if (behindBytes <= BEHIND_BYTES / 2) isStalled = false;
        if (behindBytes <= BEHIND_BYTES / 2) release();
        return;
      case 'notice':
        options.onNotice(message.notice);
        return;
      case 'failed':
        stop(message.reason);
        return;
      case 'saved':
        state = 'saved';
        release();
        return;
      case 'ended':
        state = 'over';
        release();
    }
  });
  worker.unref();

  const nextNews = () => new Promise<void>((resolve) => waiting.add(resolve));

  return {
    observe(direction, chunk) {
      if (state !== 'running') return;
      if (isStalled) {
        missed[direction] += chunk.length;
        return;
      }
      const timeMs = options.nowMs();
      if (missed[direction] > 0) {
        post({ kind: 'missed', direction, sizeBytes: missed[direction], timeMs });
        missed[direction] = 0;
      }
      const bytes = new Uint8Array(chunk);
      behindBytes += bytes.length;
      post({ kind: 'chunk', direction, bytes, timeMs }, [bytes.buffer]);
    },
    caughtUp() {
      if (state !== 'running' || isStalled || behindBytes < BEHIND_BYTES) return undefined;
      const before = behindBytes;
      return new Promise((resolve) => {
        const timer = setInterval(() => {
          // No progress at all: the session is worth more than its record, and the record will say what it missed.
          if (behindBytes >= before) isStalled = true;
          if (isStalled) release();
        }, STALLED_AFTER_MS);
        waiting.add(() => {
          clearInterval(timer);
          resolve();
        });
      });
    },
    async end(exit, hurry) {
      if (state !== 'running') return;
      const timeMs = options.nowMs();
      for (const direction of ['client_to_server', 'server_to_client'] as const)
        if (missed[direction] > 0) post({ kind: 'missed', direction, sizeBytes: missed[direction], timeMs });
      post({ kind: 'end', exit, timeMs });
      worker.ref();
      const timeout = AbortSignal.timeout(options.recorder.drainMs + END_MARGIN_MS);
      timeout.addEventListener('abort', release);
      hurry.addEventListener('abort', release);
      const isDone = () => state === 'over' || timeout.aborted || (hurry.aborted && state === 'saved');
      while (!isDone()) await nextNews();
      state = 'over';
      await worker.terminate();
    },
  };
}
