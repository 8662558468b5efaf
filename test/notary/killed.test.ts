import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { parseNote } from '../../evidence/note/note.ts';
import type { Anchor } from '../../notary/anchor.ts';
import { openFileAnchor } from '../../notary/anchors/file-anchor.ts';
import { refuseOtherHistory } from '../../notary/history.ts';
import { pendingRequests, requestAct } from '../../notary/requests.ts';
import { createLogger } from '../../runtime/logger.ts';
import { readRows } from '../../sinks/store/clickhouse-store.ts';
import { killedAt, type Moment } from '../subjects/interrupt.ts';
import { verifies } from '../requirements.ts';
import { type Arena, logOf, openArena, ORIGIN } from './arena.ts';

const logger = createLogger({ level: 'silent' });
let arena: Arena;
let anchorPath: string;
beforeAll(async () => {
  arena = await openArena();
  anchorPath = join(arena.directory, 'anchor.ndjson');
});
afterAll(() => arena.close());

const openAnchor = () => openFileAnchor({ id: 'file', type: 'file', path: anchorPath }, { logger });

/** What the notary does in one round: the step, and the head to the anchor. */
async function round(anchor: Anchor): Promise<void> {
  const done = await arena.step();
  if (done.state !== 'signed') throw new Error(`the step is ${done.state}`);
  await publishHead(anchor);
}

async function publishHead(anchor: Anchor): Promise<void> {
  const { note, anchor: range, timeMs } = arena.state.state;
  const head = {
    origin: ORIGIN,
    size: range.end,
    root: growRange(range).root(),
    timeMs,
    note: parseNote(note),
  };
  const proofFrom = (oldSize: bigint) => arena.state.nodes.consistencyProof(oldSize, range.end);
  await anchor.publish({ ...head, proofFrom });
}

/** Every note that left the notary, by place and size: the store's and the anchor file's. */
async function published(): Promise<Map<string, Set<string>>> {
  const bySize = new Map<string, Set<string>>();
  const add = (place: string, text: string) => bySize.set(place, (bySize.get(place) ?? new Set()).add(text));
  const rows = readRows(
    arena.store.raw,
    'SELECT toString(origin), toString(size), note FROM custody.checkpoints ORDER BY size',
    (read) => ({ origin: read.string(), size: read.string(), note: read.string() }),
  );
  for await (const { origin, size, note } of rows) add(`${origin} ${size}`, parseNote(note).text);
  for (const line of readFileSync(anchorPath, 'utf8').split('\n')) {
    if (!line.endsWith('}')) continue;
    const { size, note } = JSON.parse(line) as { size: string; note: string };
    add(`${ORIGIN} ${size}`, parseNote(note).text);
  }
  return bySize;
}

async function anchorSeqs(): Promise<bigint[]> {
  const seqs: bigint[] = [];
  const statement = `SELECT seq FROM custody.anchor_entries WHERE origin = '${ORIGIN}' ORDER BY seq`;
  for await (const seq of readRows(arena.store.raw, statement, (read) => read.uint64())) seqs.push(seq);
  return seqs;
}

describe('a notary that is killed', () => {
  it.each<Moment>(['before', 'after'])(
    'goes on from what it promised, wherever it was (%s the effect of each file system call)',
    async (moment) => {
      verifies('P4');
      for (let n = 1; ; n++) {
        await arena.write('acme', 2);
        const hold_id = `${moment} ${n}`;
        await requestAct(arena.state.path, { type: 'hold', operator: 'olga', reason: 'a case', hold_id });
        const anchor = await openAnchor();
        const { ended } = await killedAt(n, moment, () => round(anchor));

        await arena.reopen();
        const again = await openAnchor();
        // What was signed before the kill contradicts neither the store nor the anchor.
        await refuseOtherHistory(arena.store.raw, arena.state, [again], logger);
        await arena.step();
        await publishHead(again);

        const end = arena.state.state.anchor.end;
        expect(await anchorSeqs()).toEqual(Array.from({ length: Number(end) }, (_, seq) => BigInt(seq)));
        for (const [place, texts] of await published()) expect([place, texts.size]).toEqual([place, 1]);
        expect((await again.latest?.(ORIGIN))?.size).toBe(end);
        expect(arena.state.state.logs.get(logOf('acme'))?.range.end).toBe(await entryCount());
        // Entered once; twice only when the kill came between signing and answering.
        const holds = (await arena.entries()).filter(
          (entry) => 'hold_id' in entry && entry.hold_id === hold_id,
        );
        expect(holds.length).toBeGreaterThan(0);
        expect(holds.length).toBeLessThanOrEqual(ended ? 1 : 2);
        expect(await pendingRequests(arena.state.path)).toEqual([]);
        if (!ended) continue;
        expect(n).toBeGreaterThan(20);
        return;
      }
    },
  );
});

async function entryCount(): Promise<bigint | undefined> {
  const statement = `SELECT toUInt64(count()) FROM custody.entries WHERE log = '${logOf('acme')}'`;
  for await (const count of readRows(arena.store.raw, statement, (read) => read.uint64())) return count;
  return undefined;
}
