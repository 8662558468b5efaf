import { z } from 'zod';
import { formatNote } from '../../evidence/note/note.ts';
import type { AnchoredCheckpoint } from '../anchor.ts';
import { type Held, readHeld } from './held.ts';

/** A checkpoint as one line of JSON: what files and topics keep. `note` alone counts; the rest is for people and tools. */
const line = z.object({
  origin: z.string(),
  size: z.string(),
  root: z.string(),
  time_ms: z.int(),
  note: z.string(),
});

/** No line is longer: a note has at most 1 MiB. */
export const LINE_MAX_BYTES = 2 * 1024 * 1024;

/** Without a newline. */
export function formatCheckpointLine({ origin, size, root, timeMs, note }: AnchoredCheckpoint): string {
  const values: z.infer<typeof line> = {
    origin,
    size: size.toString(),
    root: Buffer.from(root).toString('hex'),
    time_ms: timeMs,
    note: formatNote(note),
  };
  return JSON.stringify(values);
}

/** `torn`: no JSON, as a crash in the middle of a write leaves it. `foreign`: nothing that was written here. */
export type CheckpointLine =
  { readonly origin: string; readonly held: Held } | { readonly fault: 'torn' | 'foreign' };

/** Reads attacker-controlled text. */
export function parseCheckpointLine(text: string): CheckpointLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { fault: 'torn' };
  }
  const parsed = line.safeParse(json);
  if (!parsed.success) return { fault: 'foreign' };
  const { origin, size, root, note } = parsed.data;
  const held = readHeld(origin, note);
  if (held?.size.toString() !== size || Buffer.from(held.root).toString('hex') !== root)
    return { fault: 'foreign' };
  return { origin, held };
}
