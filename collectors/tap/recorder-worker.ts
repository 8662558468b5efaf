import { parentPort, workerData } from 'node:worker_threads';
import { CustodyError } from '../../runtime/errors.ts';
import type { Direction } from '../normalize/mcp.ts';
import {
  startRecorder,
  type Notice,
  type Recorder,
  type RecorderOptions,
  type ServerExit,
} from './recorder.ts';

/** The recorder's thread: what goes wrong or takes long in here never touches the bytes of the session. */
export type ToWorker =
  | {
      readonly kind: 'chunk';
      readonly direction: Direction;
      readonly bytes: Uint8Array;
      readonly timeMs: number;
    }
  | {
      readonly kind: 'missed';
      readonly direction: Direction;
      readonly sizeBytes: number;
      readonly timeMs: number;
    }
  | { readonly kind: 'end'; readonly exit: ServerExit; readonly timeMs: number };

export type FromWorker =
  | { readonly kind: 'taken'; readonly sizeBytes: number }
  | { readonly kind: 'notice'; readonly notice: Notice }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'saved' }
  | { readonly kind: 'ended' };

export interface WorkerInput {
  readonly options: RecorderOptions;
  readonly startMs: number;
}

const port = parentPort;
if (port !== null) {
  const tell = (message: FromWorker) => port.postMessage(message);
  const recorder = start(tell);
  port.on('message', (message: ToWorker) => {
    if (recorder === undefined) return;
    switch (message.kind) {
      case 'chunk':
        recorder.chunk(message.direction, message.bytes, message.timeMs);
        tell({ kind: 'taken', sizeBytes: message.bytes.length });
        return;
      case 'missed':
        recorder.missed(message.direction, message.sizeBytes, message.timeMs);
        return;
      case 'end':
        recorder.end(message.exit, message.timeMs);
        tell({ kind: 'saved' });
        void recorder.close().then(() => tell({ kind: 'ended' }));
    }
  });
}

function start(tell: (message: FromWorker) => void): Recorder | undefined {
  const { options, startMs } = workerData as WorkerInput;
  try {
    return startRecorder(options, startMs, (notice) => tell({ kind: 'notice', notice }));
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    tell({
      kind: 'failed',
      reason:
        error instanceof CustodyError
          ? error.message
          : `cannot use data directory ${options.dataDir}: ${errno}`,
    });
    return undefined;
  }
}
