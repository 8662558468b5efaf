import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '../runtime/clock.ts';
import { TransientError } from '../runtime/errors.ts';
import { newestCheckpoint } from '../sinks/store/checkpoints.ts';
import type { Publication, RawQuery, Store } from '../sinks/store/store.ts';
import { formatPublication, type NotaryState, parsePublication } from './state.ts';

/**
 * What was published lately, for a store that is put back from an older copy: the entries of the anchor log can be made
 * from nothing else. `published/<hour>.jsonl` in the state directory, one publication a line, in the order of signing.
 */
export interface Published {
  /** Resolves when it is on disk. Rejects with TransientError. */
  add(publication: Publication): Promise<void>;
  /** Those that have entries of the anchor log from `seq` on. */
  from(seq: bigint): AsyncIterable<Publication>;
}

const HOUR_MS = 3_600_000;
const DIGITS = 8;

/** Kept is what is younger than `keepMs`, by the hour. */
export function openPublished(options: {
  readonly stateDir: string;
  readonly origin: string;
  readonly keepMs: number;
  readonly clock: Pick<Clock, 'nowMs'>;
}): Published {
  const { origin, keepMs, clock } = options;
  const directory = join(options.stateDir, 'published');
  const hours = async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return (await readdir(directory)).filter((name) => /^\d{8}\.jsonl$/.test(name)).sort();
  };
  const nameOf = (timeMs: number) => `${String(Math.floor(timeMs / HOUR_MS)).padStart(DIGITS, '0')}.jsonl`;
  let current = '';

  /** At the first line of each hour. */
  async function begin(name: string): Promise<void> {
    const oldest = nameOf(Math.max(0, clock.nowMs() - keepMs));
    for (const old of await hours()) if (old < oldest) await rm(join(directory, old), { force: true });
    current = name;
  }

  return {
    async add(publication) {
      try {
        const name = nameOf(clock.nowMs());
        if (name !== current) await begin(name);
        const file = await open(join(directory, name), 'a', 0o600);
        try {
          // A line that a crash cut off ends before it.
          await file.appendFile(`\n${formatPublication(publication)}\n`);
          await file.sync();
        } finally {
          await file.close();
        }
      } catch (cause) {
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
        const code = errno === 'ENOSPC' ? 'disk_full' : 'unavailable';
        throw new TransientError(code, `cannot write ${directory}: ${errno}`, { cause });
      }
    },
    async *from(seq) {
      for (const name of await hours()) {
        const lines = createInterface({
          input: createReadStream(join(directory, name)),
          crlfDelay: Infinity,
        });
        for await (const line of lines) {
          const publication = line === '' ? undefined : parsePublication(origin, line);
          const last = publication?.entries.at(-1);
          if (publication !== undefined && last !== undefined && last.seq >= seq) yield publication;
        }
      }
    },
  };
}

/** What a store that is older than the state still lacks of the anchor log, `[from, to)`. */
export interface Lacking {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Publishes again what the state had published and the store does not have, up to the last cycle, which every start
 * publishes. Resolves with the entries that are no longer kept here; the store has all when there are none.
 */
export async function publishAgain(
  { raw, publish }: { readonly raw: RawQuery } & Pick<Store, 'publish'>,
  state: NotaryState,
  published: Published,
): Promise<readonly Lacking[]> {
  const last = state.publication?.entries[0]?.seq ?? state.anchor.end;
  let next = (await newestCheckpoint(raw, state.origin))?.size ?? 0n;
  if (next >= last) return [];
  const lacking: Lacking[] = [];
  for await (const publication of published.from(next)) {
    const [first] = publication.entries;
    // The same cycle twice: a start writes the last one down again.
    if (first === undefined || first.seq < next || first.seq >= last) continue;
    if (first.seq > next) lacking.push({ from: next, to: first.seq });
    await publish(publication);
    next = first.seq + BigInt(publication.entries.length);
  }
  if (next < last) lacking.push({ from: next, to: last });
  return lacking;
}
