import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AnchorAct, ANCHOR_SCHEMA, anchorEntrySchema } from '../evidence/anchor-log/entry.ts';
import { sleep } from '../runtime/backoff.ts';
import { InputError } from '../runtime/errors.ts';
import { replaceFile } from '../runtime/replace-file.ts';

/** Where an act was entered: its position, and the size of the signed anchor log that covers it. */
export interface EnteredAct {
  readonly seq: bigint;
  readonly size: bigint;
}

/** An act somebody asks for through the state directory. Whoever may write there may ask. */
export interface ActRequest {
  readonly id: string;
  /** `undefined` for a file that asks for nothing a notary enters. */
  readonly act: AnchorAct | undefined;
}

const REQUEST = /^([0-9a-f-]{36})\.json$/;
const POLL_MS = 200;
const ANSWERS_MAX = 1000;

const requestsOf = (stateDir: string) => join(stateDir, 'requests');
const answersOf = (stateDir: string) => join(stateDir, 'answers');

/** Asks the notary of a state directory to enter an act; it does so in its next cycle, or when it runs again. */
export async function requestAct(stateDir: string, act: AnchorAct): Promise<{ readonly id: string }> {
  if (checkedAct(act) === undefined)
    throw new InputError('input_invalid', `cannot ask the notary: the ${act.type} is not in the known form`);
  const id = randomUUID();
  await mkdir(requestsOf(stateDir), { recursive: true, mode: 0o700 });
  await replaceFile(join(requestsOf(stateDir), `${id}.json`), `${JSON.stringify(act)}\n`);
  return { id };
}

/**
 * Waits for the notary's answer; `undefined` when none came in time: the request stays, and is entered when the notary runs.
 * @throws InputError when it was refused.
 */
export async function awaitAct(
  stateDir: string,
  id: string,
  timeoutMs: number,
): Promise<EnteredAct | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await readFile(join(answersOf(stateDir), `${id}.json`), 'utf8').catch(() => undefined);
    if (answer !== undefined) {
      const { seq, size, refused } = JSON.parse(answer) as { seq?: string; size?: string; refused?: string };
      if (refused !== undefined) throw new InputError('input_invalid', `cannot enter the act: ${refused}`);
      return { seq: BigInt(seq ?? 0), size: BigInt(size ?? 0) };
    }
    if (performance.now() >= deadline) return undefined;
    await sleep(POLL_MS);
  }
}

/** What is asked for, oldest name first. Reads files that anybody with access to the directory wrote. */
export async function pendingRequests(stateDir: string): Promise<ActRequest[]> {
  const names = await readdir(requestsOf(stateDir)).catch(() => []);
  const found: ActRequest[] = [];
  for (const name of names.sort()) {
    const [, id] = REQUEST.exec(name) ?? [];
    if (id === undefined) continue;
    const text = await readFile(join(requestsOf(stateDir), name), 'utf8').catch(() => '');
    found.push({ id, act: checkedAct(parsed(text)) });
  }
  return found;
}

/** Answers a request and takes it away; the answer first, so that a crash between gives the same answer again. */
export async function answerRequest(
  stateDir: string,
  id: string,
  answer: EnteredAct | { readonly refused: string },
): Promise<void> {
  const directory = answersOf(stateDir);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const json = 'refused' in answer ? answer : { seq: String(answer.seq), size: String(answer.size) };
  await replaceFile(join(directory, `${id}.json`), `${JSON.stringify(json)}\n`);
  await rm(join(requestsOf(stateDir), `${id}.json`), { force: true });
  const answers = await readdir(directory);
  for (const old of answers.length > ANSWERS_MAX ? answers.sort().slice(0, -ANSWERS_MAX) : [])
    if (old !== `${id}.json`) await rm(join(directory, old), { force: true });
}

/** The act, if it is one that may be asked for; genesis and checkpoints are the notary's own. */
export function checkedAct(value: unknown): AnchorAct | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const parsedEntry = anchorEntrySchema.safeParse({ ...value, schema: ANCHOR_SCHEMA, time_ms: 0 });
  if (!parsedEntry.success) return undefined;
  if (parsedEntry.data.type === 'genesis' || parsedEntry.data.type === 'checkpoint') return undefined;
  const act: Partial<typeof parsedEntry.data> = { ...parsedEntry.data };
  delete act.schema;
  delete act.time_ms;
  return act as AnchorAct;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
