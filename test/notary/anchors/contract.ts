import { expect, it } from 'vitest';
import { formatNote } from '../../../evidence/note/note.ts';
import type { Anchor, AnchorEvidence } from '../../../notary/anchor.ts';
import { IntegrityError } from '../../../runtime/errors.ts';
import { sampleLog, type SampleLog } from './sample-log.ts';

export interface AnchorHarness {
  readonly evidence: AnchorEvidence['type'];
  /** Whether what was published is known to an anchor that is opened again. */
  readonly remembers: boolean;
  /** An anchor over what the test published before; a new place for each test. Rates are off. */
  readonly open: () => Promise<Anchor>;
}

/** What every kind of anchor promises. `harness` is asked for once per test. */
export function anchorContract(harness: (log: SampleLog) => Promise<AnchorHarness>): void {
  const key = sampleLog().key;
  const log = sampleLog(key);
  const otherHistory = sampleLog(key, 'other');

  it('takes checkpoints of a growing log and says what proves it', async () => {
    const { open, evidence } = await harness(log);
    const anchor = await open();
    for (const size of [1, 5, 8, 13]) {
      const given = await anchor.publish(log.at(size));
      expect(given?.type).toBe(evidence);
    }
  });

  it('says the last checkpoint, with its note, also after it is opened again', async () => {
    const { open } = await harness(log);
    const first = await open();
    if (first.latest === undefined) {
      expect(first.type).toMatch(/^(witness|rfc3161|siem)$/);
      return;
    }
    expect(await first.latest(log.key.name)).toBeUndefined();
    await first.publish(log.at(3));
    await first.publish(log.at(9));
    const says = async (anchor: Anchor, size: number) => {
      const head = await anchor.latest!(log.key.name);
      expect(head?.size).toBe(BigInt(size));
      expect(Buffer.from(head!.root!)).toEqual(Buffer.from(log.at(size).root));
      expect(formatNote(head!.note!)).toBe(formatNote(log.at(size).note));
      expect(await anchor.latest!('acme/other')).toBeUndefined();
    };
    await says(first, 9);
    await first.close();
    const second = await open();
    await says(second, 9);
    await second.publish(log.at(10));
    await says(second, 10);
  });

  it('takes the same checkpoint again without harm, also after it is opened again', async () => {
    const { open, evidence } = await harness(log);
    const first = await open();
    await first.publish(log.at(7));
    expect((await first.publish(log.at(7)))?.type).toBe(evidence);
    await first.close();
    const second = await open();
    expect((await second.publish(log.at(7)))?.type).toBe(evidence);
    expect((await second.publish(log.at(8)))?.type).toBe(evidence);
    if (second.latest !== undefined) expect((await second.latest(log.key.name))?.size).toBe(8n);
  });

  it('refuses an older size, and stays where it is', async () => {
    const { open, remembers } = await harness(log);
    const first = await open();
    await first.publish(log.at(12));
    await expect(first.publish(log.at(11))).rejects.toThrow(IntegrityError);
    await first.close();
    const second = await open();
    if (remembers) await expect(second.publish(log.at(11))).rejects.toThrow(IntegrityError);
    if (second.latest !== undefined) expect((await second.latest(log.key.name))?.size).toBe(12n);
  });

  it('refuses another tree of the same size', async () => {
    const { open, remembers } = await harness(log);
    const first = await open();
    await first.publish(log.at(6));
    await expect(first.publish(otherHistory.at(6))).rejects.toThrow(IntegrityError);
    await first.close();
    if (!remembers) return;
    const second = await open();
    await expect(second.publish(otherHistory.at(6))).rejects.toThrow(IntegrityError);
  });
}
