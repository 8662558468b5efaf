import { genesisBody } from '../../evidence/entry-builder.ts';
import { bodyHash, entryPreimage, leafHash, ZERO_LINK, type EntryKind } from '../../evidence/entry.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { WRITTEN_COLUMNS } from '../../sinks/store/tab-separated.ts';
import type { EmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { Ledger } from './ledger-fixture.ts';

const TOPIC = 'custody.events';
const APPEND_TIME_MS = 1_790_000_000_000;
const DAY = '2026-09-21';
const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** What an attacker keeps of an entry when writing it again. */
export interface ForgedPlace {
  readonly offset: string;
  readonly appendTimeMs: string;
  readonly day: string;
  readonly kind: string;
  readonly body: Uint8Array;
}

/** The INSERTs that write a log whose hashes and links are all right, and its last leaf. */
export function forgedInsert(log: string, places: readonly ForgedPlace[]): { sql: string[]; leaf: string } {
  const name = parseLogId(log);
  if (name === undefined) throw new Error('not a log id');
  let prev = ZERO_LINK;
  const byDay = new Map<string, string[]>();
  for (const [seq, { offset, appendTimeMs, day, kind, body }] of places.entries()) {
    const bodySha = bodyHash(body);
    const place = {
      logId: log,
      seq: BigInt(seq),
      topic: TOPIC,
      partition: name.partition,
      offset: BigInt(offset),
      appendTimeMs: BigInt(appendTimeMs),
      kind,
    };
    const leaf = leafHash(entryPreimage(place, prev, bodySha));
    const row = `('${log}', '${name.tenant}', ${name.partition}, ${seq}, '${TOPIC}', ${offset}, ${appendTimeMs}, '${day}', '${kind}', unhex('${prev}'), unhex('${bodySha}'), unhex('${leaf}'), ${literal(Buffer.from(body).toString('utf8'))})`;
    byDay.set(day, [...(byDay.get(day) ?? []), row]);
    prev = leaf;
  }
  const into = `INSERT INTO custody.entries (${WRITTEN_COLUMNS.join(', ')}) SETTINGS insert_deduplicate = 0 VALUES`;
  return { sql: [...byDay.values()].map((rows) => `${into} ${rows.join(', ')}`), leaf: prev };
}

/** A genesis and records nobody sent, at offsets the partition really has. */
export function inventedPlaces(log: string, count: number): ForgedPlace[] {
  const name = parseLogId(log);
  if (name === undefined) throw new Error('not a log id');
  const place = (offset: number, kind: EntryKind, body: Uint8Array) => ({
    offset: String(offset),
    appendTimeMs: String(APPEND_TIME_MS),
    day: DAY,
    kind,
    body,
  });
  const event = (number: number) =>
    Buffer.from(JSON.stringify({ schema: 'custody.event/v1', tenant: name.tenant, number }));
  return [
    place(0, 'control', genesisBody(name, TOPIC)),
    ...Array.from({ length: count }, (_, number) => place(number, 'event', event(number))),
  ];
}

/** What a log has, as an attacker reads it. */
export async function storedPlaces(
  ledger: Pick<Ledger, 'answer'>,
  log: string,
): Promise<(ForgedPlace & { readonly body: Buffer })[]> {
  const answer = await ledger.answer(
    [],
    `SELECT koffset, kts_ms, day, kind, hex(body) FROM custody.entries WHERE log = '${log}' ORDER BY seq`,
  );
  return answer.split('\n').map((line) => {
    const [offset = '', appendTimeMs = '', day = '', kind = '', hex = ''] = line.split('\t');
    return { offset, appendTimeMs, day, kind, body: Buffer.from(hex, 'hex') };
  });
}

/** The log written again from its rows, one entry changed, every hash and link after it recomputed. */
export async function rewrittenFrom(
  ledger: Pick<Ledger, 'answer'>,
  log: string,
  changed: number,
): Promise<{ sql: string[]; head: { seq: string; leaf: string } }> {
  const places = (await storedPlaces(ledger, log)).map((place, seq) =>
    seq === changed ? { ...place, body: Buffer.from(place.body.toString().replace('allow', 'deny')) } : place,
  );
  const { sql, leaf } = forgedInsert(log, places);
  const remove = `ALTER TABLE custody.entries DELETE WHERE log = '${log}' SETTINGS mutations_sync = 2`;
  return { sql: [remove, ...sql], head: { seq: String(places.length - 1), leaf } };
}

/** Makes the head recorded beside the log another one, as somebody with that disk could. */
export const headAs =
  (log: string, head: { readonly seq: string; readonly leaf: string }) =>
  async ({ state }: EmbeddedLog): Promise<void> => {
    const value = Buffer.from(JSON.stringify(head));
    for await (const { name } of state.entries('ledger/')) {
      if (name.endsWith(log)) await state.write([{ name, value }]);
    }
  };
