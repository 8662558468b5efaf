import { fromBase64, hashFromBase64 } from './base64.ts';
import { parseSize } from './checkpoint.ts';
import { formatNote, NoteFormatError, parseNote, type SignedNote } from './note.ts';

/**
 * C2SP tlog-proof: that an entry is in a log at an index, under a signed checkpoint. Proves nothing before the entry's
 * leaf hash, the proof and the checkpoint's signatures were checked.
 */
export interface TlogProof {
  /** Not covered by anything: only what can be checked against the leaf hash may be taken from it. */
  readonly extra: Uint8Array | undefined;
  readonly index: bigint;
  /** From the leaf's neighbour up. */
  readonly hashes: readonly Uint8Array[];
  readonly checkpoint: SignedNote;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree has at most 63 levels. */
const MAX_HASHES = 63;

export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const lines = [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${Buffer.from(extra).toString('base64')}`]),
    `index ${index}`,
    ...hashes.map((hash) => Buffer.from(hash).toString('base64')),
  ];
  return `${lines.join('\n')}\n\n${formatNote(checkpoint)}`;
}

/** Reads attacker-controlled text. Throws a NoteFormatError. */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  if (split < 0) throw new NoteFormatError('no blank line comes before the checkpoint');
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== HEADER) throw new NoteFormatError(`it does not begin with ${HEADER}`);
  const extra = lines[0]?.startsWith('extra ') === true ? fromBase64(lines.shift()?.slice(6) ?? '') : null;
  if (extra === undefined) throw new NoteFormatError('the extra data is not base64');
  const [, decimal = ''] = /^index (\S+)$/.exec(lines.shift() ?? '') ?? [];
  const index = parseSize(decimal);
  if (index === undefined) throw new NoteFormatError('it has no index');
  if (lines.length > MAX_HASHES) throw new NoteFormatError('it has more hashes than a tree has levels');
  const hashes = lines.map((line) => {
    const hash = hashFromBase64(line);
    if (hash === undefined) throw new NoteFormatError('a hash is not 32 bytes in base64');
    return hash;
  });
  return { extra: extra ?? undefined, index, hashes, checkpoint: parseNote(text.slice(split + 2)) };
}
