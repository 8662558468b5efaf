import { TestRunner } from 'vitest';

/** Who noticed. `writer`: refused before it was stored; `notary`: not signed; `alarm`: found by the running pipeline. */
export type Face = 'process' | 'sql' | 'bundle' | 'receipt' | 'writer' | 'notary' | 'alarm' | 'witness';

export interface Attack {
  readonly what: string;
  /** Where it can be played: each of these faces must be shown to notice it. */
  readonly on: readonly Face[];
  /** What nobody notices, or not there, and why. */
  readonly limit?: string;
}

/**
 * What an attacker may try on evidence, by number. A test that plays one says so with `attack`, a test of the legitimate act
 * it looks like with `twin`; docs/attacks.md is made of what ran and passed (test/attack-table.ts).
 */
export const attacks = {
  1: { what: 'flip a bit of a body', on: ['process', 'sql', 'bundle', 'notary'] },
  2: {
    what: 'change any stored column; columns are enumerated from the engine',
    on: ['process', 'sql', 'bundle', 'notary'],
    limit:
      'of older checkpoints of a data log (not its newest) the signature is not checked again: size, root and time are held against the signed anchor log. Of `anchor_evidence` and `subtrees` no column is covered: they are signed by others, or only make proofs that lead to no signed root when wrong',
  },
  3: {
    what: 'change a derived column by changing its expression',
    on: ['process'],
    limit: 'the views inside ClickHouse read stored columns only; a bundle has no derived columns',
  },
  4: { what: 'change a body and recompute its hash and leaf', on: ['process', 'sql', 'bundle', 'notary'] },
  5: {
    what: 'the same, and recompute every entry after it',
    on: ['process', 'sql', 'bundle', 'notary'],
    limit:
      'located at the first checkpoint after the change; at the entry itself only where the records are still kept (REPAIR_DIFF)',
  },
  6: {
    what: 'delete a row in the middle: mutation, mask, rewritten part',
    on: ['process', 'sql', 'bundle', 'notary'],
  },
  7: { what: 'delete the first rows without announcing it', on: ['process', 'sql', 'writer'] },
  8: { what: 'cut the tail within what is signed', on: ['process', 'sql', 'bundle', 'notary', 'writer'] },
  9: { what: 'cut the tail and write other events', on: ['process', 'sql', 'notary'] },
  10: {
    what: 'cut only the tail that is not signed yet',
    on: ['process', 'writer'],
    limit:
      'without recorded heads and without the records of the log nobody can tell: the window of one checkpoint interval. The report says how many entries are unsigned',
  },
  11: { what: 'swap two rows, or their seqs', on: ['process', 'sql', 'bundle'] },
  12: { what: 'insert a row between, after or before', on: ['process', 'sql', 'bundle'] },
  13: { what: 'insert an identical copy of a row', on: [] },
  14: { what: 'insert another entry at a place that is taken', on: ['process', 'sql', 'notary', 'writer'] },
  15: { what: 'two writers on one partition', on: [] },
  16: { what: 'two writers that make different entries', on: ['writer'] },
  17: { what: 'restore an older store', on: ['process', 'writer', 'notary'] },
  18: { what: 'restore an older store and the notary’s state with it', on: ['process', 'notary', 'witness'] },
  19: { what: 'restore only the notary’s state', on: ['notary'] },
  20: {
    what: 'replace, edit or delete a checkpoint',
    on: ['process'],
    limit:
      'SQL cannot check signatures; the views name a checkpoint that differs from the stored entries (attack 5)',
  },
  21: { what: 'sign two histories of one size', on: ['process', 'notary', 'witness'] },
  22: {
    what: 'sign with an unknown key, a known name, a known key id',
    on: ['process', 'bundle', 'receipt'],
  },
  23: { what: 'offer the key inside the evidence as the only one', on: ['process', 'bundle', 'receipt'] },
  24: { what: 'sign a back-dated checkpoint with a stolen key', on: ['process', 'bundle', 'receipt'] },
  25: { what: 'sign with the old key after a rotation; forge a rotation', on: ['process', 'bundle'] },
  26: { what: 'set clocks back or forward', on: ['process', 'receipt', 'notary'] },
  27: {
    what: 'splice rows or proofs of one tenant into another',
    on: ['process', 'sql', 'bundle', 'receipt'],
  },
  28: { what: 'merge two logs, renumber, join two epochs', on: ['process', 'sql', 'bundle'] },
  29: { what: 'replay a receipt for another call, session or tenant', on: ['receipt'] },
  30: { what: 'show an allowed call as an executed one', on: ['receipt'] },
  31: {
    what: 'drop the partition of a day: young, not announced, under hold',
    on: ['process', 'sql', 'writer'],
  },
  32: { what: 'attach, replace, exchange or rename tables and partitions', on: ['process', 'sql'] },
  33: { what: 'update rows by means that leave no mutation', on: ['process', 'sql'] },
  34: {
    what: 'hide rows: policies, views, overflow modes, filters',
    on: ['process'],
    limit:
      'rows that a row policy hides are missed as any missing row is, without a cause of their own; policies need a server, and no test here plays one',
  },
  35: { what: 'flip bytes of part files; flip a bit between hash and insert', on: ['process', 'notary'] },
  36: {
    what: 'tricks of the formats: NULL, padding, hex case, wrapping numbers, JSON written again',
    on: ['process', 'sql', 'writer'],
  },
  37: { what: 'inject into log ids; huge, deep, broken or ambiguous bodies', on: ['process', 'writer'] },
  38: {
    what: 'second shapes of a proof: node as leaf, sizes, extra and missing hashes',
    on: ['bundle', 'receipt'],
  },
  39: {
    what: 'bundle: remove an event and mend the manifests, swap the verifier, add a file, slip out of the directory, bomb, unseal',
    on: ['bundle'],
  },
  40: { what: 'remove, reorder or back-date an act of the custody chain', on: ['bundle'] },
  41: {
    what: 'witness: unreachable, lying, foreign, racing',
    on: ['bundle', 'receipt', 'notary', 'witness'],
  },
  42: {
    what: 'drop events before they reach the log',
    on: ['alarm'],
    limit:
      'noticed where one part of a call arrived and another did not. A producer that is silent altogether is not noticed yet: events carry no sequence numbers of their producers',
  },
  43: { what: 'erase the key of a subject', on: [] },
  44: { what: 'do what is legitimate: prune, rotate, rebalance, lose a replica, upgrade', on: [] },
} as const satisfies Record<number, Attack>;

export type AttackNumber = keyof typeof attacks;

/** One outcome of a test that passed. */
export interface AttackOutcome {
  readonly attack: AttackNumber;
  readonly face: Face;
  /** Cause codes, or what was refused, as asserted by the test; `no alarm` for a twin. */
  readonly caught: string;
}

/** What `caught` says of a twin. */
export const NO_ALARM = 'no alarm';

declare module '@vitest/runner' {
  interface TaskMeta {
    attacks?: AttackOutcome[];
  }
}

/**
 * The running test plays the attack and has asserted that this face named it so. Only in tests that run on every machine:
 * the page must not depend on what is installed.
 */
export function attack(number: AttackNumber, face: Face, ...causes: readonly string[]): void {
  if (causes.length === 0) throw new Error(`attack ${number} on ${face} names no cause`);
  for (const cause of causes) note({ attack: number, face, caught: cause });
}

/** The running test plays the legitimate act that the attack looks like, and has asserted that nobody minds. */
export function twin(number: AttackNumber, face: Face): void {
  note({ attack: number, face, caught: NO_ALARM });
}

function note(outcome: AttackOutcome): void {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) throw new Error('an attack is noted inside a test');
  (test.meta.attacks ??= []).push(outcome);
}
