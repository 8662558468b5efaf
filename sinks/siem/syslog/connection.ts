import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TransientError } from '../../../runtime/errors.ts';
import { SinkPausedError } from '../../sink.ts';

export interface SyslogEndpoint {
  readonly host: string;
  readonly port: number;
  /** `undefined` = plain TCP. */
  readonly tls:
    | {
        readonly ca: Buffer | undefined;
        readonly cert: Buffer | undefined;
        readonly key: Buffer | undefined;
        readonly serverName: string | undefined;
      }
    | undefined;
}

export interface SyslogConnection {
  /** False as soon as the other side closed or an error was seen. */
  readonly alive: boolean;
  /**
   * Resolves when the kernel took all bytes and nothing bad was heard for `lingerMs` after. That is all a transport
   * without acknowledgements can say: bytes a dying receiver had not read are lost without a sign.
   */
  send(bytes: Buffer, lingerMs: number, timeoutMs: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Faults of certificates and of TLS itself need a human: OpenSSL verification names, Node's own, TLS alerts. */
const tlsFault = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|ERR_SSL_)/;

/** Opens a connection; resolves after the handshake with the peer's certificate verified. */
export async function openSyslogConnection(
  endpoint: SyslogEndpoint,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SyslogConnection> {
  const target = `${endpoint.host}:${endpoint.port}`;
  const socket = dial(endpoint);
  let failure: Error | undefined;
  // Stays for the life of the socket: an error without a listener would end the process.
  socket.on('error', (error) => (failure ??= error));
  socket.on('end', () => (failure ??= new Error('closed by the receiver')));
  socket.on('close', () => (failure ??= new Error('closed')));
  socket.resume();
  try {
    await settled(socket, endpoint.tls === undefined ? 'connect' : 'secureConnect', timeoutMs, signal);
  } catch (cause) {
    socket.destroy();
    throw classify('connect to', target, failure ?? cause);
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 15_000);

  const throwIfFailed = () => {
    if (failure !== undefined) throw failure;
  };
  return {
    get alive() {
      return failure === undefined && socket.writable;
    },
    async send(bytes, lingerMs, sendTimeoutMs, sendSignal) {
      try {
        await flushed(socket, bytes, sendTimeoutMs, sendSignal);
        await quiet(socket, lingerMs);
        throwIfFailed();
      } catch (cause) {
        socket.destroy();
        throw classify('write to', target, failure ?? cause);
      }
    },
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) {
          resolve();
          return;
        }
        const timer = setTimeout(() => socket.destroy(), 1000);
        socket.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        socket.end();
      }),
  };
}

function dial({ host, port, tls }: SyslogEndpoint): Socket {
  if (tls === undefined) return connectTcp({ host, port });
  const serverName = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({
    host,
    port,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(serverName !== undefined && { servername: serverName }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
  });
}

/** Waits for the event; fails on error, close, timeout or abort, whichever is first. */
function settled(socket: Socket, event: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onEvent).off('error', finish).off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onEvent = () => finish();
    const onClose = () => finish(new Error('closed before it was ready'));
    const onAbort = () => finish(new Error('stopped'));
    const timer = setTimeout(() => finish(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    socket.once(event, onEvent).once('error', finish).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function flushed(socket: Socket, bytes: Buffer, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const written = settled(socket, 'custody-flushed', timeoutMs, signal);
  socket.write(bytes, (error) => {
    if (error == null) socket.emit('custody-flushed');
  });
  return written;
}

/** Waits out the linger time, or less when the socket closes. */
function quiet(socket: Socket, lingerMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      socket.off('close', finish).off('end', finish);
      resolve();
    };
    const timer = setTimeout(finish, lingerMs);
    socket.once('close', finish).once('end', finish);
  });
}

function classify(verb: string, target: string, cause: unknown): TransientError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const reason = code === '' ? (cause as Error).message : code;
  const message = `cannot ${verb} syslog receiver ${target}: ${reason}`;
  if (tlsFault.test(code) || code === 'ENOTFOUND') return new SinkPausedError(message, { cause });
  return new TransientError('unavailable', message, { cause });
}
