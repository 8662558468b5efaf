import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { CustodyError, PermanentError } from './errors.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

const LOCK_NAME = /^lock-(\d+)-[0-9a-f]{16}\.sock$/;

/**
 * Claims a directory for this process. Throws PermanentError `locked` when someone else holds it.
 *
 * Each holder listens on a Unix socket of its own name in the directory and only then looks for others: of two that
 * start together at least one sees the other (both may refuse; neither goes on wrongly). The kernel closes the
 * socket with the process, so what a kill leaves behind refuses connections and is removed. Names are never used
 * twice, so removing a dead one cannot hit a living one. A socket is moved to its final name after `listen`: under
 * that name it always answers while its owner lives, even if the owner is stopped. Unlike a pid file this also
 * holds between containers that share a volume.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const handle = process.platform === 'linux' ? await open(directory, 'r') : undefined;
  // A socket address holds about 100 bytes; the descriptor gives any directory a short name.
  const base = handle === undefined ? shorter(directory) : `/proc/self/fd/${handle.fd}`;
  const name = `lock-${process.pid}-${randomBytes(8).toString('hex')}.sock`;
  const release = async (server?: Server) => {
    await rm(join(directory, name), { force: true });
    if (server?.listening === true) await new Promise((resolve) => server.close(resolve));
    await handle?.close();
  };
  let server: Server | undefined;
  try {
    server = await listen(join(base, `${name}.new`));
    await rename(join(directory, `${name}.new`), join(directory, name));
    await refuseIfHeld(directory, base, name);
  } catch (cause) {
    await release(server);
    if (cause instanceof CustodyError) throw cause;
    throw new PermanentError(
      'locked',
      `cannot open data directory ${directory}: it cannot be locked (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      { cause },
    );
  }
  return { release: once(() => release(server)) };
}

async function refuseIfHeld(directory: string, base: string, ownName: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = LOCK_NAME.exec(name)?.[1];
    if (pid === undefined || name === ownName) continue;
    if (!(await answers(join(base, name)))) {
      await rm(join(directory, name), { force: true });
      continue;
    }
    const holder =
      Number(pid) === process.pid ? 'this process already' : `another custody process (pid ${pid})`;
    throw new PermanentError('locked', `cannot open data directory ${directory}: ${holder} uses it`);
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ path, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** Only a refused or vanished socket is dead; any doubt (no permission, full backlog) counts as alive. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

function shorter(directory: string): string {
  const fromHere = relative('', directory);
  return fromHere !== '' && fromHere.length < directory.length ? fromHere : directory;
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= action());
}
