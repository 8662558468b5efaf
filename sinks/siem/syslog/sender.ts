import type { Clock } from '../../../runtime/clock.ts';
import { openSyslogConnection, type SyslogConnection, type SyslogEndpoint } from './connection.ts';
import { createResendWindow } from './resend-window.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const WRITE_TIMEOUT_MS = 20_000;
/**
 * TLS 1.3 lets the client finish before the server has judged the client's certificate: connected and authorized say
 * nothing. A refusal arrives a round trip later, so the first batch waits longer for it.
 */
const FIRST_LINGER_MS = 300;
const LINGER_MS = 20;
const resendLimits = { maxAgeMs: 120_000, maxCount: 1024, maxBytes: 4 * 1024 * 1024 };

/** Sends frames over one connection at a time, which is opened when there is something to send. */
export interface SyslogSender {
  /**
   * Resolves when the kernel took the bytes and the connection stayed up for a moment. After a lost connection the last
   * two minutes are sent again before. One call at a time. Rejects with TransientError.
   */
  send(frames: readonly Buffer[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface SyslogSenderOptions {
  /** Asked for each connection. */
  readonly endpoint: () => SyslogEndpoint;
  readonly clock: Clock;
  /** So many frames are sent again after a lost connection. */
  readonly onResend: (frameCount: number) => void;
}

export function createSyslogSender({ endpoint, clock, onResend }: SyslogSenderOptions): SyslogSender {
  const window = createResendWindow(resendLimits);
  let connection: SyslogConnection | undefined;
  let lingerMs = FIRST_LINGER_MS;

  const connected = async (signal: AbortSignal): Promise<SyslogConnection> => {
    if (connection?.alive === true) return connection;
    const lost = connection !== undefined;
    const opened = await openSyslogConnection(endpoint(), CONNECT_TIMEOUT_MS, signal);
    const again = lost ? window.recent(clock.nowMs()) : [];
    if (again.length > 0) {
      onResend(again.length);
      await opened.send(Buffer.concat(again), FIRST_LINGER_MS, WRITE_TIMEOUT_MS, signal);
    }
    connection = opened;
    lingerMs = FIRST_LINGER_MS;
    return opened;
  };

  return {
    async send(frames, signal) {
      const current = await connected(signal);
      await current.send(Buffer.concat(frames), lingerMs, WRITE_TIMEOUT_MS, signal);
      lingerMs = LINGER_MS;
      for (const frame of frames) window.add(frame, clock.nowMs());
    },
    async close() {
      await connection?.close();
    },
  };
}
