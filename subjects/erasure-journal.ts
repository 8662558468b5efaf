import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../runtime/sync-directory.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { KEY_ID_PATTERN, SUBJECT_PATTERN } from '../schemas/sealed-field.ts';
import { diskError, errnoOf, type KeyStore } from './key-store.ts';

/**
 * The steps of erasures, one JSON line each, on disk before the next step is taken. It only grows, so its size tells a
 * collector whether a key it holds may be gone. A line that a crash cut short says nothing: its step is taken again.
 */
const text = z.string().min(1).max(512);
const place = {
  tenant: z.string().regex(TENANT_PATTERN),
  subject: z.string().regex(SUBJECT_PATTERN),
  key_id: z.string().regex(KEY_ID_PATTERN),
  time_ms: z.int().nonnegative(),
};

const erasureStepSchema = z.discriminatedUnion('step', [
  /** From here on the key will be destroyed, whatever happens. */
  z.strictObject({ ...place, step: z.literal('begun'), operator: text, reason: text }),
  z.strictObject({ ...place, step: z.literal('destroyed') }),
  /** The notary has been asked to enter the act. */
  z.strictObject({ ...place, step: z.literal('requested'), request_id: text }),
  /** The act is an entry of the anchor log. */
  z.strictObject({ ...place, step: z.literal('entered'), seq: text }),
]);

export type ErasureStep = z.infer<typeof erasureStepSchema>;

/** What the journal says of one key. */
export interface ErasureState {
  readonly tenant: string;
  readonly subject: string;
  readonly keyId: string;
  readonly operator: string;
  readonly reason: string;
  readonly begunMs: number;
  readonly destroyedMs?: number;
  readonly requestId?: string;
  /** Position of the entry in the anchor log. */
  readonly entrySeq?: string;
}

const pathOf = ({ directory }: KeyStore): string => join(directory, 'erasures.jsonl');

/** Resolves when the step is on disk. @throws TransientError */
export async function noteStep(store: KeyStore, step: ErasureStep): Promise<void> {
  const path = pathOf(store);
  try {
    const handle = await open(path, 'a+', 0o600);
    try {
      const { size } = await handle.stat();
      const torn = size > 0 && (await handle.read(Buffer.alloc(1), 0, 1, size - 1)).buffer[0] !== 0x0a;
      await handle.appendFile(`${torn ? '\n' : ''}${JSON.stringify(step)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(store.directory);
  } catch (cause) {
    throw diskError(`write ${path}`, cause);
  }
}

/** Every erasure by the id of its key, oldest first; `unreadableLines` counts what was cut short or damaged. */
export function readErasures(store: KeyStore): {
  readonly erasures: ReadonlyMap<string, ErasureState>;
  readonly unreadableLines: number;
} {
  const erasures = new Map<string, ErasureState>();
  let unreadableLines = 0;
  for (const line of linesOf(pathOf(store))) {
    const step = stepOf(line);
    if (step === undefined) unreadableLines++;
    else apply(erasures, step);
  }
  return { erasures, unreadableLines };
}

function apply(erasures: Map<string, ErasureState>, step: ErasureStep): void {
  if (step.step === 'begun') {
    const { tenant, subject, key_id: keyId, operator, reason, time_ms: begunMs } = step;
    erasures.set(keyId, { tenant, subject, keyId, operator, reason, begunMs });
    return;
  }
  const state = erasures.get(step.key_id);
  if (state === undefined) return;
  erasures.set(step.key_id, { ...state, ...factOf(step) });
}

function factOf(step: Exclude<ErasureStep, { step: 'begun' }>): Partial<ErasureState> {
  switch (step.step) {
    case 'destroyed':
      return { destroyedMs: step.time_ms };
    case 'requested':
      return { requestId: step.request_id };
    case 'entered':
      return { entrySeq: step.seq };
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw diskError(`read ${path}`, cause);
  }
}

function stepOf(line: string): ErasureStep | undefined {
  try {
    const parsed = erasureStepSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Watches for erasures by any process. */
export interface ErasureWatch {
  /** Whether a step was noted since the last call. Costs one system call. */
  changed(): boolean;
  close(): void;
}

/** @throws TransientError when the journal cannot be opened. */
export function watchErasures(store: KeyStore): ErasureWatch {
  const path = pathOf(store);
  let file: number;
  try {
    // Made here, so that there is one file to watch from the start.
    file = openSync(path, 'a+', 0o600);
  } catch (cause) {
    throw diskError(`watch ${path}`, cause);
  }
  let size = fstatSync(file).size;
  return {
    changed() {
      const now = fstatSync(file).size;
      if (now === size) return false;
      size = now;
      return true;
    },
    close: () => closeSync(file),
  };
}
