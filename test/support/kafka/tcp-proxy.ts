import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint } from './server-properties.ts';

export interface TcpProxy extends Endpoint {
  /** Latency added in each direction, for bytes that arrive from now on. */
  delayMs: number;
  /** Resets every connection, and new ones as soon as they are there. */
  cut(): void;
  /** Accepts connections and keeps the open ones, but passes no bytes, as a network that drops packets. */
  stall(): void;
  /** Ends `cut` and `stall`; what waited while stalled is passed on in order. */
  heal(): void;
  close(): Promise<void>;
}

/** A TCP proxy on loopback in front of `target`, for tests of broken networks. */
export async function startTcpProxy(target: Endpoint): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let stalled = Promise.resolve();
  let endStall: (() => void) | undefined;

  const forward = (from: Socket, to: Socket) => {
    let previous = Promise.resolve();
    const inOrder = (act: () => void) => {
      const due = pause(proxy.delayMs);
      previous = previous
        .then(() => due)
        .then(() => stalled)
        .then(act);
    };
    sockets.add(from);
    // A failure shows as the end of both sides.
    from.on('error', () => undefined);
    from.on('data', (bytes) => inOrder(() => to.write(bytes)));
    from.on('close', () => {
      sockets.delete(from);
      inOrder(() => to.end());
    });
  };
  const resetAll = () => sockets.forEach((socket) => socket.resetAndDestroy());

  const server = createServer({ noDelay: true }, (client) => {
    if (isCut) {
      client.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const upstream = connect({ ...target, noDelay: true });
    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const proxy: TcpProxy = {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    cut() {
      isCut = true;
      resetAll();
    },
    stall() {
      if (endStall === undefined) stalled = new Promise((resolve) => (endStall = resolve));
    },
    heal() {
      isCut = false;
      endStall?.();
      endStall = undefined;
    },
    async close() {
      server.close();
      resetAll();
      await once(server, 'close');
    },
  };
  return proxy;
}
