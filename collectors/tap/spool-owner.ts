import {
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../../runtime/process-alive.ts';

/**
 * Who writes a spool directory, so that a later tap may take over what a dead one left and nobody takes over what is
 * in use. Where the process table can be asked (same host, same pid namespace) it decides; elsewhere the time since
 * the owner last touched its file does.
 */
interface Owner {
  readonly pid: number;
  /** Start time from /proc, to tell a reused pid; absent where there is no /proc. */
  readonly started?: string | undefined;
  readonly host: string;
  readonly pidNamespace?: string | undefined;
}

const OWNER_FILE = 'owner.json';
/** An owner that cannot be asked touches its file every minute; ten missed touches mean it is gone. */
export const OWNER_TOUCH_INTERVAL_MS = 60_000;
const SILENT_OWNER_MS = 10 * OWNER_TOUCH_INTERVAL_MS;

export function writeOwner(directory: string): void {
  writeFileSync(join(directory, OWNER_FILE), JSON.stringify(self()), { mode: 0o600 });
}

export function touchOwner(directory: string, nowMs: number): void {
  utimesSync(join(directory, OWNER_FILE), nowMs / 1000, nowMs / 1000);
}

/** Takes over one spool whose owner is gone and returns its directory; the rename decides between two that try. */
export function claimOrphan(spoolRoot: string, instance: string, nowMs: number): string | undefined {
  for (const name of readdirSync(spoolRoot)) {
    const [origin, claimer] = name.split('@');
    if (origin === undefined || !/^[0-9a-f]{16}$/.test(origin) || origin === instance || claimer === instance)
      continue;
    const directory = join(spoolRoot, name);
    if (isOwned(directory, nowMs)) continue;
    const claimed = join(spoolRoot, `${origin}@${instance}`);
    try {
      renameSync(directory, claimed);
      writeOwner(claimed);
      return claimed;
    } catch {
      continue; // another tap was first, or it is not ours to take
    }
  }
  return undefined;
}

function isOwned(directory: string, nowMs: number): boolean {
  const path = join(directory, OWNER_FILE);
  let owner: Owner;
  try {
    owner = JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    return !isOlder(directory, nowMs, OWNER_TOUCH_INTERVAL_MS); // being made right now, or died while being made
  }
  const here = self();
  if (owner.host !== here.host || owner.pidNamespace !== here.pidNamespace)
    return !isOlder(path, nowMs, SILENT_OWNER_MS);
  if (!Number.isSafeInteger(owner.pid) || owner.pid <= 0 || !isAlive(owner.pid)) return false;
  return owner.started === undefined || owner.started === startTime(owner.pid);
}

function isOlder(path: string, nowMs: number, ageMs: number): boolean {
  try {
    return nowMs - statSync(path).mtimeMs > ageMs;
  } catch {
    return false;
  }
}

function self(): Owner {
  return {
    pid: process.pid,
    started: startTime(process.pid),
    host: hostname(),
    pidNamespace: pidNamespace(),
  };
}

/** Field 22 of /proc/<pid>/stat; the process name before it may hold spaces and parentheses. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
