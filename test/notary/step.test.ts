import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCheckpoint } from '../../evidence/note/checkpoint.ts';
import { verifiedBy, verifierKey } from '../../evidence/note/key.ts';
import { parseNote } from '../../evidence/note/note.ts';
import { isConsistent, rootFromInclusion } from '../../evidence/merkle/proofs.ts';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { IntegrityError, TransientError } from '../../runtime/errors.ts';
import { newestCheckpoint, readCheckpoints } from '../../sinks/store/checkpoints.ts';
import { anchorLogTree, dataLogTree } from '../../sinks/store/log-tree.ts';
import { findLost } from '../../notary/discover.ts';
import { refuseOtherHistory } from '../../notary/history.ts';
import { createLogger } from '../../runtime/logger.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { type Arena, causesOf, logOf, openArena, ORIGIN } from './arena.ts';
import { verifies } from '../requirements.ts';

const logger = createLogger({ level: 'silent' });
let arena: Arena;
beforeEach(async () => {
  arena = await openArena();
});
afterEach(() => arena.close());

test('a step signs what is in the store, log by log, under one checkpoint of the anchor log', async () => {
  verifies('P4');
  await arena.write('acme', 5);
  await arena.write('globex', 3);
  expect(await arena.step()).toMatchObject({ state: 'signed', isWhole: true, findings: [] });
  const entries = await arena.entries();
  expect(entries.map(({ type }) => type)).toEqual(['genesis', 'checkpoint', 'checkpoint']);
  expect(entries[1]).toMatchObject({ log: logOf('acme'), size: '6' });

  const head = await newestCheckpoint(arena.store.raw, ORIGIN);
  const note = parseNote(head?.note ?? '');
  expect(verifiedBy(note, [arena.keys.current]).by).toHaveLength(1);
  expect(parseCheckpoint(note.text)).toMatchObject({ origin: ORIGIN, size: 3n });
  // The checkpoint of a data log is signed by the same key under the log's name.
  const ofLog = await newestCheckpoint(arena.store.raw, logOf('acme'));
  const key = verifierKey(logOf('acme'), 'log', arena.keys.current.publicKey);
  expect(verifiedBy(parseNote(ofLog?.note ?? ''), [key]).by).toHaveLength(1);
});

test('nothing new is nothing to sign', async () => {
  await arena.write('acme', 2);
  await arena.step();
  expect(await arena.step()).toMatchObject({ state: 'idle', unsignedCount: 0n });
  expect(await arena.entries()).toHaveLength(2);
});

test('proofs out of the store lead from any entry to the signed roots, however the log grew', async () => {
  for (const count of [1, 4, 7, 2]) {
    await arena.write('acme', count);
    await arena.step({ whole: false });
  }
  const { raw } = arena.store;
  const log = logOf('acme');
  const tree = dataLogTree(raw, log);
  const sizes: { size: bigint; root: Uint8Array }[] = [];
  for await (const checkpoint of readCheckpoints(raw, log)) sizes.push(checkpoint);
  expect(sizes.map(({ size }) => size)).toEqual([2n, 6n, 13n, 15n]);
  for (const head of sizes) {
    for (let index = 0n; index < head.size; index++) {
      const [leaf = new Uint8Array()] = await tree.subtreeHashes(index, index + 1n);
      const root = rootFromInclusion(leaf, index, head.size, await tree.inclusionProof(index, head.size));
      expect(Buffer.from(root ?? []).toString('hex')).toBe(Buffer.from(head.root).toString('hex'));
    }
    const last = sizes.at(-1) ?? head;
    expect(isConsistent(head, last, await tree.consistencyProof(head.size, last.size))).toBe(true);
  }
  const anchor = anchorLogTree(raw, ORIGIN);
  const heads: { size: bigint; root: Uint8Array }[] = [];
  for await (const checkpoint of readCheckpoints(raw, ORIGIN)) heads.push(checkpoint);
  const [first, , , last] = heads;
  if (first === undefined || last === undefined) throw new Error('no checkpoints');
  expect(isConsistent(first, last, await anchor.consistencyProof(first.size, last.size))).toBe(true);
  expect(isConsistent(first, last, await arena.state.nodes.consistencyProof(first.size, last.size))).toBe(
    true,
  );
});

describe('what was changed before it was signed is not signed', () => {
  test.each([
    ['a body', "UPDATE body = concat(body, ' ') WHERE seq = 3", 'BODY_HASH', [1, 35]],
    [
      'a body and all its hashes',
      "UPDATE body = 'x', body_sha = SHA256('x') WHERE seq = 3",
      'LEAF_HASH',
      [4],
    ],
    ['a link', "UPDATE prev = SHA256('x') WHERE seq = 3", 'LEAF_HASH', [2]],
    ['a missing entry', 'DELETE WHERE seq = 3', 'GAP', [6]],
  ] as const)('%s', async (_what, change, cause, numbers) => {
    await arena.write('acme', 6);
    await arena.write('globex', 2);
    await arena.tamper(`ALTER TABLE custody.entries ${change} AND log = '${logOf('acme')}'`);
    const step = await arena.step();
    expect(causesOf(step)).toContain(cause);
    // The log is signed up to the entry before, the other log whole.
    const sizes = [...arena.state.state.logs].map(([log, { range }]) => [log, range.end]);
    expect(sizes).toEqual([
      [logOf('acme'), 3n],
      [logOf('globex'), 3n],
    ]);
    for (const number of numbers) attack(number, 'notary', cause);
  });

  test('a second entry at one place', async () => {
    await arena.write('acme', 4);
    await arena.tamper(
      `INSERT INTO custody.entries (log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body) SELECT log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, SHA256('forged') AS body_sha, SHA256(concat(char(0), 'mcp-audit/entry/v1\\n', log, '\\n', toString(seq), '\\n', lower(hex(prev)), '\\n', topic, '/', toString(kpart), '/', toString(koffset), '\\n', toString(kts_ms), '\\n', kind, '\\n', lower(hex(SHA256('forged'))), '\\n')) AS leaf, 'forged' AS body FROM custody.entries WHERE seq = 2`,
    );
    expect(causesOf(await arena.step())).toContain('FORK');
    expect(arena.state.state.logs.get(logOf('acme'))?.range.end).toBe(2n);
    attack(14, 'notary', 'FORK');
  });

  test('a log that cannot be signed does not hold up those after it, however much of it waits', async () => {
    await arena.write('acme', 9);
    await arena.write('globex', 2);
    await arena.tamper(
      `ALTER TABLE custody.entries UPDATE body = concat(body, ' ') WHERE seq = 0 AND log = '${logOf('acme')}'`,
    );
    // Steps of five entries, and the ten of the first log come first.
    expect(causesOf(await arena.step({ entriesMax: 5n }))).toContain('BODY_HASH');
    await arena.step({ entriesMax: 5n });
    const sizes = [...arena.state.state.logs].map(([log, { range }]) => [log, range.end]);
    expect(sizes).toEqual([[logOf('globex'), 3n]]);
  });

  test('an identical copy says nothing against it', async () => {
    await arena.write('acme', 4);
    await arena.tamper(
      'INSERT INTO custody.entries (log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body) SELECT log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body FROM custody.entries WHERE seq = 2',
    );
    expect(causesOf(await arena.step())).toEqual([]);
    expect(arena.state.state.logs.get(logOf('acme'))?.range.end).toBe(5n);
    twin(13, 'notary');
    twin(14, 'notary');
  });
});

describe('whatever fails, the next step goes on from what was promised', () => {
  const failing = async (): Promise<never> => {
    await Promise.resolve();
    throw new TransientError('unavailable', 'cannot reach the store: injected');
  };

  async function expectSound(): Promise<void> {
    await arena.step();
    const head = await newestCheckpoint(arena.store.raw, ORIGIN);
    expect(head?.size).toBe(arena.state.state.anchor.end);
    expect(Buffer.from(head?.root ?? []).equals(growRange(arena.state.state.anchor).root())).toBe(true);
    await refuseOtherHistory(arena.store.raw, arena.state, [], logger);
    const times = (await arena.entries()).map(({ time_ms }) => time_ms);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(await arena.entries()).toHaveLength(Number(arena.state.state.anchor.end));
  }

  test('publishing fails, and nothing is in the store', async () => {
    await arena.write('acme', 3);
    await expect(arena.step({ store: { publish: failing } })).rejects.toThrow('injected');
    await arena.reopen();
    await expectSound();
  });

  test('publishing fails, and all of it is in the store', async () => {
    await arena.write('acme', 3);
    const persisted = async (publication: Parameters<typeof arena.store.publish>[0]) => {
      await arena.store.publish(publication);
      await failing();
    };
    await expect(arena.step({ store: { publish: persisted } })).rejects.toThrow('injected');
    await arena.reopen();
    await expectSound();
  });

  test('publishing fails between the tables', async () => {
    await arena.write('acme', 3);
    const half = async (publication: Parameters<typeof arena.store.publish>[0]) => {
      await arena.store.publish({ ...publication, checkpoints: publication.checkpoints.slice(0, 1) });
      await failing();
    };
    await expect(arena.step({ store: { publish: half } })).rejects.toThrow('injected');
    await arena.write('acme', 2);
    await arena.reopen();
    await expectSound();
  });

  test('the state is old because it could not be written: leaves on disk beyond it are dropped', async () => {
    await arena.write('acme', 3);
    await arena.step();
    const before = join(arena.directory, 'before.json');
    cpSync(join(arena.directory, 'notary', 'state.json'), before);
    await arena.write('acme', 3);
    await expect(arena.step({ store: { publish: failing } })).rejects.toThrow('injected');
    cpSync(before, join(arena.directory, 'notary', 'state.json'));
    await arena.reopen();
    await expectSound();
    twin(19, 'notary');
  });

  test('a state that is put back from a copy signs nothing, because the store was told more', async () => {
    await arena.write('acme', 3);
    await arena.step();
    const copy = join(arena.directory, 'copy');
    cpSync(join(arena.directory, 'notary'), copy, {
      recursive: true,
      filter: (path) => !path.endsWith('.sock'),
    });
    await arena.write('acme', 3);
    await arena.step();
    await arena.state.close();
    rmSync(join(arena.directory, 'notary'), { recursive: true });
    cpSync(copy, join(arena.directory, 'notary'), { recursive: true });
    await arena.reopen();
    const refusal = refuseOtherHistory(arena.store.raw, arena.state, [], logger);
    await expect(refusal).rejects.toThrow(/ROLLBACK/);
    await expect(refusal).rejects.toBeInstanceOf(IntegrityError);
    attack(19, 'notary', 'ROLLBACK');
  });

  test('a state that somebody else changed is not written over', async () => {
    await arena.write('acme', 3);
    await arena.step();
    const file = join(arena.directory, 'notary', 'state.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"time_ms":', '"time_ms": '));
    await arena.write('acme', 3);
    await expect(arena.step()).rejects.toThrow(/somebody else/);
  });
});

test('a clock that went back signs nothing until it has caught up', async () => {
  await arena.write('acme', 1);
  await arena.step();
  await arena.write('acme', 1);
  const signedAt = arena.state.state.timeMs;
  arena.nowMs = signedAt - 60_000;
  expect(await arena.step()).toEqual({ state: 'clock_behind', byMs: 50_001 });
  arena.nowMs = signedAt;
  expect(await arena.step()).toMatchObject({ state: 'signed' });
  attack(26, 'notary', 'clock_behind');
  twin(26, 'notary');
});

test('what is signed and gone is told from what was never signed', async () => {
  await arena.write('acme', 4);
  await arena.step();
  expect(await findLost(arena.store.raw, arena.state.state)).toEqual([]);
  await arena.tamper(`ALTER TABLE custody.entries DELETE WHERE seq >= 3`);
  expect(await findLost(arena.store.raw, arena.state.state)).toEqual([
    { log: logOf('acme'), seq: 4n, isOther: false },
  ]);
});
