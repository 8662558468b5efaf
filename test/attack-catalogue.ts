import { getCurrentTest } from 'vitest/suite';

/**
 * What an attacker may try on evidence, by number. A test that plays one says so with `attack`, a test of the legitimate act
 * it looks like with `twin`; docs/attacks.md is made of what ran and passed (test/attack-table.ts).
 */
export const attacks = {
  1: 'flip a bit of a body',
  2: 'change any stored column; columns are enumerated from the engine',
  3: 'change a derived column by changing its expression',
  4: 'change a body and recompute its hash and leaf',
  5: 'the same, and recompute every entry after it',
  6: 'delete a row in the middle: mutation, mask, rewritten part',
  7: 'delete the first rows without announcing it',
  8: 'cut the tail within what is signed',
  9: 'cut the tail and write other events',
  10: 'cut only the tail that is not signed yet',
  11: 'swap two rows, or their seqs',
  12: 'insert a row between, after or before',
  13: 'insert an identical copy of a row',
  14: 'insert another entry at a place that is taken',
  15: 'two writers on one partition',
  16: 'two writers that make different entries',
  17: 'restore an older store',
  18: 'restore an older store and the notary’s state with it',
  19: 'restore only the notary’s state',
  20: 'replace, edit or delete a checkpoint',
  21: 'sign two histories of one size',
  22: 'sign with an unknown key, a known name, a known key id',
  23: 'offer the key inside the evidence as the only one',
  24: 'sign a back-dated checkpoint with a stolen key',
  25: 'sign with the old key after a rotation; forge a rotation',
  26: 'set clocks back or forward',
  27: 'splice rows or proofs of one tenant into another',
  28: 'merge two logs, renumber, join two epochs',
  29: 'replay a receipt for another call, session or tenant',
  30: 'show an allowed call as an executed one',
  31: 'drop the partition of a day: young, not announced, under hold',
  32: 'attach, replace, exchange or rename tables and partitions',
  33: 'update rows by means that leave no mutation',
  34: 'hide rows: policies, views, overflow modes, filters',
  35: 'flip bytes of part files; flip a bit between hash and insert',
  36: 'tricks of the formats: NULL, padding, hex case, wrapping numbers, JSON written again',
  37: 'inject into log ids; huge, deep, broken or ambiguous bodies',
  38: 'second shapes of a proof: node as leaf, sizes, extra and missing hashes',
  39: 'bundle: remove an event and mend the manifests, swap the verifier, add a file, slip out of the directory, bomb, unseal',
  40: 'remove, reorder or back-date an act of the custody chain',
  41: 'witness: unreachable, lying, foreign, racing',
  42: 'drop events before they reach the log',
  43: 'erase the key of a subject',
  44: 'do what is legitimate: prune, rotate, rebalance, lose a replica, upgrade',
} as const;

export type AttackNumber = keyof typeof attacks;

/** Who noticed. `writer`: refused before it was stored; `notary`: not signed; `alarm`: found by the running pipeline. */
export type Face = 'process' | 'sql' | 'bundle' | 'receipt' | 'writer' | 'notary' | 'alarm' | 'witness';

/** One outcome of a test that passed. */
export interface AttackOutcome {
  readonly attack: AttackNumber;
  readonly face: Face;
  /** Cause codes, or what was refused, as asserted by the test; `no alarm` for a twin. */
  readonly caught: string;
}

declare module '@vitest/runner' {
  interface TaskMeta {
    attacks?: AttackOutcome[];
  }
}

/** The running test plays the attack and asserts that this face named it so. */
export function attack(number: AttackNumber, face: Face, ...causes: readonly string[]): void {
  if (causes.length === 0) throw new Error(`attack ${number} on ${face} names no cause`);
  for (const cause of causes) note({ attack: number, face, caught: cause });
}

/** The running test plays the legitimate act that the attack looks like, and asserts that nobody minds. */
export function twin(number: AttackNumber, face: Face): void {
  note({ attack: number, face, caught: 'no alarm' });
}

function note(outcome: AttackOutcome): void {
  const test = getCurrentTest();
  if (test === undefined) throw new Error('an attack is noted inside a test');
  (test.meta.attacks ??= []).push(outcome);
}
