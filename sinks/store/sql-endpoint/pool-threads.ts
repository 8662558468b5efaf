import { randomUUID } from 'node:crypto';
import { openEngine, type EngineConnection } from './engine.ts';

const SLEEP_SECONDS = 0.4;
const POLL_MS = 20;

/**
 * Counts how many queries really run at once, up to `wantedCount`: that is the size of the libuv pool, which cannot
 * be asked for. UV_THREADPOOL_SIZE says nothing certain, because Node has started the pool before the first line of an
 * ES module runs. Takes a few milliseconds more than the sleep, once, at start.
 */
export async function countPoolThreads(
  storePath: string,
  control: EngineConnection,
  wantedCount: number,
): Promise<number> {
  const id = randomUUID();
  const connections = Array.from({ length: wantedCount }, () => openEngine(storePath));
  const sleeping = connections.map((connection) =>
    connection.run(`SELECT sleep(${SLEEP_SECONDS}) SETTINGS log_comment = '${id}'`, 'Null'),
  );
  let seen = 0;
  const count = () => {
    const running = control.runSync(
      `SELECT count() FROM system.processes WHERE Settings['log_comment'] = '${id}'`,
    );
    seen = Math.max(seen, Number(running));
  };
  const timer = setInterval(count, POLL_MS);
  try {
    await Promise.all(sleeping);
  } finally {
    clearInterval(timer);
    await Promise.allSettled(sleeping);
    for (const connection of connections) connection.close();
  }
  return seen;
}
