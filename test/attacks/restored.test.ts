import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { parseNote } from '../../evidence/note/note.ts';
import type { Anchor } from '../../notary/anchor.ts';
import { refuseOtherHistory } from '../../notary/history.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { openAnchor } from '../notary/anchors/open-anchor.ts';
import { type Arena, logOf, openArena, ORIGIN } from '../notary/arena.ts';
import { verifies } from '../requirements.ts';

// Everything on the machine is put back from a copy; what was anchored elsewhere stays.

const logger = createLogger({ level: 'silent' });
let arena: Arena;
let elsewhere: string;
let anchor: Anchor;
beforeEach(async () => {
  arena = await openArena();
  elsewhere = mkdtempSync(join(tmpdir(), 'custody-elsewhere-'));
  anchor = await openAnchor({ id: 'elsewhere', type: 'file', path: join(elsewhere, 'checkpoints.jsonl') });
});
afterEach(async () => {
  await arena.close();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** Signs what is new and gives it to the anchor. */
async function signAndAnchor(): Promise<void> {
  await arena.step();
  const { state, nodes } = arena.state;
  await anchor.publish({
    ...{ origin: ORIGIN, size: state.anchor.end, root: growRange(state.anchor).root(), timeMs: state.timeMs },
    ...{
      note: parseNote(state.note),
      proofFrom: (old: bigint) => nodes.consistencyProof(old, state.anchor.end),
    },
  });
}

test('store and notary restored together: the notary signs nothing, because an anchor is ahead', async () => {
  verifies('P4');
  await arena.write('acme', 3);
  await signAndAnchor();
  await refuseOtherHistory(arena.store.raw, arena.state, [anchor], logger);
  const notaryCopy = join(elsewhere, 'notary');
  const notaryDir = join(arena.directory, 'notary');
  cpSync(notaryDir, notaryCopy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  await arena.write('acme', 3);
  await signAndAnchor();
  await refuseOtherHistory(arena.store.raw, arena.state, [anchor], logger);
  await arena.tamper(
    `ALTER TABLE custody.entries DELETE WHERE log = '${logOf('acme')}' AND seq > 3`,
    'ALTER TABLE custody.anchor_entries DELETE WHERE seq > 1',
    `ALTER TABLE custody.checkpoints DELETE WHERE size > 4 OR (origin = '${ORIGIN}' AND size > 2)`,
  );
  await arena.state.close();
  rmSync(notaryDir, { recursive: true });
  cpSync(notaryCopy, notaryDir, { recursive: true });
  await arena.reopen();
  // Without the anchor nothing on the machine contradicts it.
  await refuseOtherHistory(arena.store.raw, arena.state, [], logger);
  const refusal = refuseOtherHistory(arena.store.raw, arena.state, [anchor], logger);
  await expect(refusal).rejects.toThrow(
    /ROLLBACK: anchor elsewhere has a checkpoint of 3 entries, .* ends at 2/,
  );
  await expect(refusal).rejects.toBeInstanceOf(IntegrityError);
  attack(18, 'notary', 'ROLLBACK');
  twin(18, 'notary');
});
