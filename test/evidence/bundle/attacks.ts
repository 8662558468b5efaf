import { hash } from 'node:crypto';
import { custodyLineHash } from '../../../evidence/custody-chain.ts';
import { bodyHash } from '../../../evidence/entry.ts';
import { entriesFile, FILE, logNoteFile, proofFile } from '../../../evidence/bundle/format.ts';
import type { BundleCause } from '../../../evidence/bundle/verdict.ts';
import { formatVerifierKey, signingKey, signText } from '../../../evidence/note/key.ts';
import { formatNote, parseNote } from '../../../evidence/note/note.ts';
import type { AttackNumber } from '../../attack-catalogue.ts';
import type { TrustPolicy } from '../../../schemas/trust-policy.ts';
import { eventBody, KEYS, LOG_IDS, makeBundle, makeLog, sealFiles, testKey, TRUST } from './make-bundle.ts';

export type Files = Map<string, Buffer>;

/** One thing somebody may do to a bundle, and what a verifier says to it. */
export interface BundleAttack {
  /** Of test/attack-catalogue.ts. */
  readonly attack: AttackNumber;
  readonly title: string;
  readonly files: () => Files;
  readonly trust?: TrustPolicy;
  readonly cause: BundleCause;
  readonly verdict?: 'undecidable';
  readonly file?: string;
  readonly log?: string;
  readonly seq?: string;
}

const NOTARY = formatVerifierKey(KEYS.notary);
const OTHER = formatVerifierKey(testKey('other', 'other/anchor'));
const UNWITNESSED: TrustPolicy = { ...TRUST };
delete UNWITNESSED.witnesses;
const ENTRIES = entriesFile('0001');
const PROOF = proofFile('0001');

export function editText(files: Files, name: string, edit: (text: string) => string): void {
  files.set(name, Buffer.from(edit(files.get(name)!.toString('utf8'))));
}

export function editLines(files: Files, name: string, edit: (lines: string[]) => string[]): void {
  editText(files, name, (text) =>
    edit(text.trimEnd().split('\n'))
      .map((line) => `${line}\n`)
      .join(''),
  );
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test that breaks forms has none
export function editJson(files: Files, name: string, edit: (json: any) => unknown): void {
  editText(files, name, (text) => {
    const json = JSON.parse(text) as unknown;
    return JSON.stringify(edit(json) ?? json);
  });
}

/** Done with the bundle key in hand: everything fits again but the proof. */
const insider =
  (edit: (files: Files) => void, options = {}) =>
  () =>
    makeBundle({ ...options, edit });
/** Done afterwards by somebody without a key. */
const outsider = (edit: (files: Files) => void) => () => {
  const files = makeBundle();
  edit(files);
  return files;
};

/** Gives the entry another body and hashes it, and with `onwards` every later one again. */
function rewrite(files: Files, seq: number, onwards: boolean): void {
  let link: string | undefined;
  editLines(files, ENTRIES, (lines) =>
    lines.map((line) => {
      const entry = JSON.parse(line) as Record<'seq' | 'preimage' | 'body', string>;
      const preimage = entry.preimage.split('\n');
      if (Number(entry.seq) === seq) {
        entry.body = entry.body.replace('shop', 'SHOP');
        preimage[7] = bodyHash(Buffer.from(entry.body));
      } else if (Number(entry.seq) < seq || !onwards) return line;
      preimage[3] = link ?? preimage[3]!;
      entry.preimage = preimage.join('\n');
      link = hash('sha256', `\0${entry.preimage}`, 'hex');
      return JSON.stringify(entry);
    }),
  );
}

const otherTenant = `acme/other/events-1-0/0`;
const ofOtherTenant = () =>
  makeLog(
    otherTenant,
    Array.from({ length: 12 }, (_, index) => eventBody(index)),
  );

function forgeKeyId(): Files {
  return makeBundle({
    edit(files) {
      const note = parseNote(files.get(FILE.anchorNote)!);
      const forged = signText(KEYS.stranger, note.text, 0n);
      const lines = [{ ...forged, keyId: KEYS.notary.keyId }, ...note.signatures.slice(1)];
      files.set(FILE.anchorNote, Buffer.from(formatNote({ text: note.text, signatures: lines })));
    },
  });
}

const acts = (edit: (lines: string[]) => string[]) =>
  insider((files) => editLines(files, FILE.custody, edit));

export const ATTACKS: readonly BundleAttack[] = [
  {
    attack: 1,
    title: 'a byte of a body, by an insider',
    files: insider((files) =>
      editLines(files, ENTRIES, (lines) =>
        lines.map((line, at) => (at === 2 ? line.replace('größe', 'grüße') : line)),
      ),
    ),
    cause: 'BODY_HASH',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '5',
  },
  {
    attack: 1,
    title: 'a byte of a body, by anybody',
    files: outsider((files) =>
      editLines(files, ENTRIES, (lines) =>
        lines.map((line, at) => (at === 2 ? line.replace('größe', 'grüße') : line)),
      ),
    ),
    cause: 'MANIFEST',
    file: ENTRIES,
  },
  {
    attack: 2,
    title: 'the append time of an entry',
    files: insider((files) =>
      editText(files, ENTRIES, (text) => text.replace(/\\n(\d{13})\\n/, '\\n1700000000000\\n')),
    ),
    cause: 'LINK',
    log: LOG_IDS[0],
    seq: '4',
  },
  {
    attack: 4,
    title: 'a body and its own hashes',
    files: insider((files) => rewrite(files, 5, false)),
    cause: 'LINK',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '6',
  },
  {
    attack: 5,
    title: 'a body and every hash after it',
    files: insider((files) => rewrite(files, 5, true)),
    cause: 'ROOT_MISMATCH',
    file: ENTRIES,
    log: LOG_IDS[0],
  },
  {
    attack: 6,
    title: 'an entry in the middle left out',
    files: insider((files) => {
      editLines(files, ENTRIES, (lines) => lines.toSpliced(2, 1));
      editJson(files, FILE.logs, ([log]) => void (log.entries -= 1));
    }),
    cause: 'GAP',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '6',
  },
  {
    attack: 8,
    title: 'the last entries left out',
    files: insider((files) => editLines(files, ENTRIES, (lines) => lines.slice(0, -2))),
    cause: 'COMPLETENESS',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '8',
  },
  {
    attack: 11,
    title: 'two entries in each other’s place',
    files: insider((files) => editLines(files, ENTRIES, ([a, b, ...rest]) => [b!, a!, ...rest])),
    cause: 'GAP',
    file: ENTRIES,
    seq: '4',
  },
  {
    attack: 11,
    title: 'the seq of a line',
    files: insider((files) => editText(files, ENTRIES, (text) => text.replace('"seq":"5"', '"seq":"50"'))),
    cause: 'LEAF_HASH',
    file: ENTRIES,
    log: LOG_IDS[0],
  },
  {
    attack: 12,
    title: 'an entry twice',
    files: insider((files) => editLines(files, ENTRIES, ([a, ...rest]) => [a!, a!, ...rest])),
    cause: 'GAP',
    file: ENTRIES,
    seq: '3',
  },
  {
    attack: 23,
    title: 'no key pinned',
    files: () => makeBundle(),
    trust: { ...TRUST, bundle_keys: [] },
    cause: 'NO_PINNED_KEY',
    verdict: 'undecidable',
    file: FILE.seal,
  },
  {
    attack: 22,
    title: 'a checkpoint of an unknown key',
    files: () => makeBundle({ noteKeys: [KEYS.stranger] }),
    cause: 'UNKNOWN_KEY',
    file: FILE.anchorNote,
  },
  {
    attack: 22,
    title: 'a checkpoint of another key under the id of a known one',
    files: forgeKeyId,
    cause: 'NOTE_SIGNATURE',
    file: FILE.anchorNote,
  },
  {
    attack: 22,
    title: 'the log’s own note by a stranger',
    files: insider((files) =>
      editText(files, logNoteFile('0001'), (text) => {
        const note = parseNote(text);
        return formatNote({
          text: note.text,
          signatures: [signText(signingKey(LOG_IDS[0], 'log', KEYS.stranger.privateKey), note.text, 0n)],
        });
      }),
    ),
    cause: 'UNKNOWN_KEY',
    file: logNoteFile('0001'),
  },
  {
    attack: 24,
    title: 'a stolen key after its theft, without witnesses',
    files: () => makeBundle({ witnesses: [] }),
    trust: { ...UNWITNESSED, notary: [{ verifier_key: NOTARY, compromised_since_size: '3' }] },
    cause: 'KEY_WINDOW',
    file: FILE.anchorNote,
  },
  {
    attack: 24,
    title: 'a key beyond the size it was pinned for',
    files: () => makeBundle(),
    trust: { ...TRUST, notary: [{ verifier_key: NOTARY, until_size: '6' }] },
    cause: 'KEY_WINDOW',
    file: FILE.anchorNote,
  },
  {
    attack: 25,
    title: 'a checkpoint of the old key after the rotation',
    files: () => makeBundle({ noteKeys: [KEYS.old] }),
    cause: 'KEY_WINDOW',
    file: FILE.anchorNote,
  },
  {
    attack: 25,
    title: 'a rotation that the new key has not signed',
    files: () => makeBundle({ rotation: 'unproven' }),
    cause: 'ROTATION_INVALID',
    file: FILE.rotations,
    seq: '1',
  },
  {
    attack: 25,
    title: 'a rotation whose checkpoint the old key has not signed',
    files: () => makeBundle({ rotation: 'one signature' }),
    cause: 'ROTATION_INVALID',
    file: FILE.rotations,
    seq: '1',
  },
  {
    attack: 25,
    title: 'a rotation that is not in the log',
    files: () => makeBundle({ rotation: 'not included' }),
    cause: 'ROTATION_INVALID',
    file: FILE.rotations,
    seq: '0',
  },
  {
    attack: 25,
    title: 'a rotation by a stranger',
    files: () => makeBundle({ rotation: 'by a stranger' }),
    cause: 'UNKNOWN_KEY',
    file: FILE.anchorNote,
  },
  {
    attack: 25,
    title: 'a rotation left out',
    files: () =>
      makeBundle({ rotation: 'none', edit: (files) => files.set(FILE.rotations, Buffer.from('[]')) }),
    cause: 'UNKNOWN_KEY',
    file: FILE.anchorNote,
  },
  {
    attack: 41,
    title: 'one witness of two',
    files: () => makeBundle({ witnesses: [KEYS.witnesses[0]] }),
    cause: 'WITNESS_QUORUM',
    file: FILE.anchorNote,
  },
  {
    attack: 41,
    title: 'a cosignature of a stranger',
    files: () =>
      makeBundle({ witnesses: [KEYS.witnesses[0], testKey('fake', 'witness.example/2', 'witness')] }),
    cause: 'WITNESS_QUORUM',
    file: FILE.anchorNote,
  },
  {
    attack: 27,
    title: 'entries of another tenant with their proofs',
    files: () => makeBundle({ logs: [ofOtherTenant(), makeLog(LOG_IDS[1], [])], seqs: [[3, 9], [0]] }),
    cause: 'LOG_ID',
    file: PROOF,
    log: otherTenant,
  },
  {
    attack: 27,
    title: 'entries of another tenant spliced in',
    files: insider((files) => {
      const other = makeBundle({ logs: [ofOtherTenant()], seqs: [[3, 9]] });
      files.set(ENTRIES, other.get(ENTRIES)!);
    }),
    cause: 'LOG_ID',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '3',
  },
  {
    attack: 28,
    title: 'the proof of the other log',
    files: insider((files) => files.set(PROOF, files.get(proofFile('0002'))!)),
    cause: 'LOG_ID',
    file: PROOF,
    log: LOG_IDS[0],
  },
  {
    attack: 28,
    title: 'entries of one log after those of another',
    files: insider((files) =>
      editText(files, ENTRIES, (text) => text + files.get(entriesFile('0002'))!.toString()),
    ),
    cause: 'LOG_ID',
    file: ENTRIES,
    log: LOG_IDS[0],
  },
  {
    attack: 38,
    title: 'a tree of size 0',
    files: insider((files) => editJson(files, PROOF, (proof) => void (proof.size = '0'))),
    cause: 'ANCHOR_ENTRY',
    file: PROOF,
  },
  {
    attack: 38,
    title: 'a hash too many beside the window',
    files: insider((files) => editJson(files, PROOF, (proof) => void proof.before.push('0'.repeat(64)))),
    cause: 'ROOT_MISMATCH',
    file: ENTRIES,
  },
  {
    attack: 38,
    title: 'a hash too few in the anchor proof',
    files: insider((files) => editJson(files, PROOF, (proof) => void proof.anchor.hashes.pop())),
    cause: 'ANCHOR_INCLUSION',
    file: PROOF,
    log: LOG_IDS[0],
  },
  {
    attack: 38,
    title: 'hashes in another order',
    files: insider((files) => editJson(files, PROOF, (proof) => void proof.before.reverse())),
    cause: 'ROOT_MISMATCH',
    file: ENTRIES,
  },
  {
    attack: 38,
    title: 'the anchor entry of an earlier size',
    files: insider((files) => editJson(files, PROOF, (proof) => void (proof.anchor.seq = '4'))),
    cause: 'ANCHOR_INCLUSION',
    file: PROOF,
  },
  {
    attack: 38,
    title: 'an anchor entry that states another root',
    files: insider((files) =>
      editJson(files, PROOF, (proof) => {
        proof.anchor.entry = proof.anchor.entry.replace(proof.root, '0'.repeat(64));
        proof.root = '0'.repeat(64);
      }),
    ),
    cause: 'ANCHOR_INCLUSION',
    file: PROOF,
  },
  {
    attack: 38,
    title: 'a proof swapped within a selection',
    files: insider(
      (files) =>
        editJson(files, PROOF, ({ items }) => {
          [items[0].hashes, items[1].hashes] = [items[1].hashes, items[0].hashes];
        }),
      { mode: 'selection' },
    ),
    cause: 'INCLUSION',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '2',
  },
  {
    attack: 39,
    title: 'one event removed and everything else fitted, by an insider',
    files: insider((files) => {
      editLines(files, ENTRIES, (lines) => lines.toSpliced(2, 1));
      editJson(files, FILE.logs, ([log]) => void (log.entries -= 1));
    }),
    cause: 'GAP',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '6',
  },
  {
    attack: 39,
    title: 'the last event removed',
    files: insider((files) => editLines(files, ENTRIES, (lines) => lines.slice(0, -1))),
    cause: 'COMPLETENESS',
    file: ENTRIES,
    log: LOG_IDS[0],
    seq: '9',
  },
  {
    attack: 39,
    title: 'the last event removed and the window cut',
    files: insider((files) => {
      editLines(files, ENTRIES, (lines) => lines.slice(0, -1));
      editJson(files, FILE.logs, ([log]) => {
        log.to_seq = '8';
        log.entries -= 1;
      });
      editJson(files, PROOF, (proof) => void (proof.to_seq = '8'));
    }),
    cause: 'ROOT_MISMATCH',
    file: ENTRIES,
    log: LOG_IDS[0],
  },
  {
    attack: 39,
    title: 'one event removed and sealed by a stranger',
    files: () => {
      const files = makeBundle({
        edit: (data) => editLines(data, ENTRIES, (lines) => lines.toSpliced(2, 1)),
      });
      return sealFiles(files, { bundleKey: KEYS.stranger });
    },
    cause: 'UNKNOWN_KEY',
    file: FILE.seal,
  },
  {
    attack: 39,
    title: 'another report with fitting manifests and the old seal',
    files: () => {
      const files = makeBundle();
      const seal = files.get(FILE.seal)!;
      files.set('data/report/report.html', Buffer.from('<p>nothing happened'));
      return sealFiles(files).set(FILE.seal, seal);
    },
    cause: 'SEAL',
    file: FILE.seal,
  },
  {
    attack: 39,
    title: 'a swapped verifier',
    files: outsider((files) => files.set('VERIFY.md', Buffer.from('# Trust me\n'))),
    cause: 'MANIFEST',
    file: 'VERIFY.md',
  },
  {
    attack: 39,
    title: 'a file more',
    files: outsider((files) => files.set('data/more.txt', Buffer.from('more'))),
    cause: 'EXTRA_FILE',
    file: 'data/more.txt',
  },
  {
    attack: 39,
    title: 'entries that no log of the case has',
    files: insider((files) => files.set(entriesFile('0003'), files.get(ENTRIES)!)),
    cause: 'EXTRA_FILE',
    file: entriesFile('0003'),
  },
  {
    attack: 39,
    title: 'a file less',
    files: outsider((files) => files.delete('data/timeline.csv')),
    cause: 'MISSING_FILE',
    file: 'data/timeline.csv',
  },
  {
    attack: 39,
    title: 'no seal',
    files: outsider((files) => files.delete(FILE.seal)),
    cause: 'MISSING_FILE',
    file: FILE.seal,
  },
  {
    attack: 39,
    title: 'no proof',
    files: insider((files) => files.delete(PROOF)),
    cause: 'MISSING_FILE',
    file: PROOF,
  },
  {
    attack: 39,
    title: 'the seal of another case',
    files: () => makeBundle().set(FILE.seal, makeBundle({ caseId: 'CASE-2' }).get(FILE.seal)!),
    cause: 'SEAL',
    file: FILE.seal,
  },
  {
    attack: 39,
    title: 'the case renamed under the seal',
    files: () =>
      sealFiles(
        makeBundle({ edit: (data) => editJson(data, FILE.case, (facts) => void (facts.case = 'CASE-2')) }),
      ),
    cause: 'CASE_MISMATCH',
    file: FILE.seal,
  },
  {
    attack: 39,
    title: 'a selection called a whole window',
    files: () =>
      sealFiles(
        makeBundle({
          mode: 'selection',
          edit: (data) => editJson(data, FILE.case, (facts) => void (facts.mode = 'range')),
        }),
      ),
    cause: 'CASE_MISMATCH',
    file: PROOF,
  },
  {
    attack: 39,
    title: 'the bundle of another deployment',
    files: () => makeBundle(),
    trust: { ...TRUST, deployment: 'other', notary: [{ verifier_key: OTHER }] },
    cause: 'CASE_MISMATCH',
    file: FILE.case,
  },
  {
    attack: 39,
    title: 'an export that met contradictions',
    files: insider((files) =>
      editJson(
        files,
        FILE.case,
        (facts) => void facts.findings.push({ cause: 'GAP', log: LOG_IDS[0], seq: '4', detail: 'gone' }),
      ),
    ),
    cause: 'EXPORTED_INVALID',
    file: FILE.case,
  },
  {
    attack: 39,
    title: 'two bodies in one line',
    files: insider((files) =>
      editText(files, ENTRIES, (text) => text.replace('"body":', '"body":"shown","body":')),
    ),
    cause: 'LEAF_HASH',
    file: ENTRIES,
  },
  {
    attack: 40,
    title: 'a custody act removed',
    files: acts(([first, , last]) => [first!, last!]),
    cause: 'CUSTODY_LINK',
    file: FILE.custody,
  },
  {
    attack: 40,
    title: 'custody acts in another order',
    files: acts(([first, second, last]) => [second!, first!, last!]),
    cause: 'CUSTODY_LINK',
    file: FILE.custody,
  },
  {
    attack: 40,
    title: 'a custody act dated back',
    files: acts(([first, second, last]) => [first!, second!.replace(/"time_ms":\d+/, '"time_ms":1'), last!]),
    cause: 'CUSTODY_LINK',
    file: FILE.custody,
  },
  {
    attack: 40,
    title: 'the last custody act cut off',
    files: acts((lines) => lines.slice(0, -1)),
    cause: 'CUSTODY_LINK',
    file: FILE.custody,
  },
  {
    attack: 40,
    title: 'a custody act reworded and linked again',
    files: acts(([first, second, last]) => {
      const changed = second!.replace('"actor":"ana"', '"actor":"bob"');
      return [first!, changed, last!.replace(custodyLineHash(second!), custodyLineHash(changed))];
    }),
    cause: 'CUSTODY_SIGNATURE',
    file: FILE.custody,
  },
];
