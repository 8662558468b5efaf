import { createPrivateKey, hash, type KeyObject } from 'node:crypto';
import {
  type AnchorEntry,
  anchorLeaf,
  anchorOrigin,
  formatAnchorEntry,
  keyRotationText,
} from '../../../evidence/anchor-log/entry.ts';
import { canonicalJson } from '../../../evidence/canonical-json.ts';
import { EMPTY_CHAIN, signAct, type CustodyStatement } from '../../../evidence/custody-chain.ts';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, signEnvelope } from '../../../evidence/dsse.ts';
import { bodyHash, entryPreimage, ZERO_LINK } from '../../../evidence/entry.ts';
import {
  BAGIT_TEXT,
  BUNDLE_PREDICATE_TYPE,
  BUNDLE_SCHEMA,
  type BundleLog,
  type BundleProofOf,
  entriesFile,
  FILE,
  logNoteFile,
  proofFile,
  STATEMENT_TYPE,
  timestampFile,
} from '../../../evidence/bundle/format.ts';
import { growRange, subtreesOf } from '../../../evidence/merkle/compact-range.ts';
import { inclusionRanges } from '../../../evidence/merkle/proofs.ts';
import { checkpointText } from '../../../evidence/note/checkpoint.ts';
import {
  formatVerifierKey,
  signingKey,
  signText,
  verifierKey,
  type SigningKey,
} from '../../../evidence/note/key.ts';
import { formatNote, type NoteSignature } from '../../../evidence/note/note.ts';
import type { TrustPolicy } from '../../../schemas/trust-policy.ts';

/** Time of the case: nothing here reads a clock, so that the same bundle comes out every time. */
export const CASE_MS = Date.UTC(2026, 10, 2, 9, 30);
export const DEPLOYMENT = 'acme';
export const TENANT = 'shop';
export const LOG_IDS = [
  `${DEPLOYMENT}/${TENANT}/events-1-0/0`,
  `${DEPLOYMENT}/${TENANT}/alerts-1-3/0`,
] as const;

/** A key that is the same every time; for tests only. */
export function testKey(label: string, name: string, use: 'log' | 'witness' = 'log'): SigningKey {
  const seed = hash('sha256', `test key ${label}`, 'buffer');
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return signingKey(name, use, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

const origin = anchorOrigin(DEPLOYMENT);
export const KEYS = {
  old: testKey('old notary', origin),
  notary: testKey('notary', origin),
  bundle: testKey('bundle', `${DEPLOYMENT}/bundle`),
  witnesses: [
    testKey('w1', 'witness.example/1', 'witness'),
    testKey('w2', 'witness.example/2', 'witness'),
  ] as const,
  stranger: testKey('stranger', origin),
};

export const TRUST: TrustPolicy = {
  schema: 'custody.trust/v1',
  deployment: DEPLOYMENT,
  notary: [{ verifier_key: formatVerifierKey(KEYS.old) }],
  witnesses: { quorum: 2, keys: KEYS.witnesses.map(formatVerifierKey) },
  bundle_keys: [formatVerifierKey(KEYS.bundle)],
};

export interface TestEntry {
  readonly seq: bigint;
  readonly preimage: string;
  readonly body: Buffer;
  readonly leaf: Buffer;
}

export interface TestLog {
  readonly log: string;
  readonly entries: readonly TestEntry[];
}

/** Entries as a ledger has them; bodies other than the first are given. */
export function makeLog(log: string, bodies: readonly Buffer[]): TestLog {
  const entries: TestEntry[] = [];
  let prev = ZERO_LINK;
  const partition = Number(/-(\d+)\/0$/.exec(log)?.[1]);
  for (const [index, body] of [Buffer.from(`{"kind":"genesis"}`), ...bodies].entries()) {
    const preimage = entryPreimage(
      {
        ...{ logId: log, seq: BigInt(index), topic: 'custody.events', partition, offset: BigInt(index * 2) },
        ...{ appendTimeMs: CASE_MS - 60_000 + index, kind: index === 0 ? 'control' : 'event' },
      },
      prev,
      bodyHash(body),
    );
    const leaf = hash('sha256', `\0${preimage}`, 'buffer');
    prev = leaf.toString('hex');
    entries.push({ seq: BigInt(index), preimage, body, leaf });
  }
  return { log, entries };
}

export const eventBody = (index: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      schema: 'custody.event/v1',
      tenant: TENANT,
      n: index,
      text: 'größe <b>& "quoted" \u2028 \u0007',
    }),
  );

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function hashOf(leaves: readonly Uint8Array[], begin: bigint, end: bigint): Uint8Array {
  const tree = growRange();
  for (const leaf of leaves.slice(Number(begin), Number(end))) tree.append(leaf);
  return tree.root();
}

export const rootOf = (leaves: readonly Uint8Array[]): Uint8Array =>
  hashOf(leaves, 0n, BigInt(leaves.length));
export const inclusionOf = (leaves: readonly Uint8Array[], index: bigint): string[] =>
  inclusionRanges(index, BigInt(leaves.length)).map(({ begin, end }) => hex(hashOf(leaves, begin, end)));
export const compactOf = (leaves: readonly Uint8Array[], begin: bigint, end: bigint): string[] =>
  subtreesOf(begin, end).map(({ level, index }) =>
    hex(hashOf(leaves, index << BigInt(level), (index + 1n) << BigInt(level))),
  );

export interface BundleOptions {
  readonly mode?: 'range' | 'selection';
  readonly caseId?: string;
  readonly logs?: readonly TestLog[];
  /** Seqs of each log: the first and last of a range, or those selected. */
  readonly seqs?: readonly (readonly number[])[];
  /** Who signs the anchor log's note, after the rotation. */
  readonly noteKeys?: readonly SigningKey[];
  readonly witnesses?: readonly SigningKey[];
  readonly bundleKey?: SigningKey;
  readonly rotation?: 'signed' | 'none' | 'unproven' | 'one signature' | 'not included' | 'by a stranger';
  /** Makes a token over the bytes. */
  readonly timestamp?: (message: Uint8Array) => Buffer;
  /** Changes files before they are listed and sealed: what an insider with the bundle key could do. */
  readonly edit?: (files: Map<string, Buffer>) => void;
}

const WITNESS_SEC = BigInt(CASE_MS / 1000 + 5);

export function noteOf(
  id: string,
  leaves: readonly Uint8Array[],
  keys: readonly SigningKey[],
): { text: string; signatures: NoteSignature[] } {
  const text = checkpointText({ origin: id, size: BigInt(leaves.length), root: rootOf(leaves) });
  return { text, signatures: keys.map((key) => signText(key, text, WITNESS_SEC)) };
}

/** A small correct bundle of two logs under a rotated, witnessed notary key; name to bytes. */
export function makeBundle(options: BundleOptions = {}): Map<string, Buffer> {
  const files = makeFiles(options);
  options.edit?.(files);
  return sealFiles(files, options);
}

function makeFiles(options: BundleOptions): Map<string, Buffer> {
  const { mode = 'range', caseId = 'CASE-1', noteKeys = [KEYS.notary], witnesses = KEYS.witnesses } = options;
  const logs =
    options.logs ??
    LOG_IDS.map((log) =>
      makeLog(
        log,
        Array.from({ length: 12 }, (_, index) => eventBody(index)),
      ),
    );
  const seqs =
    options.seqs ??
    (mode === 'range' ? logs.map((_, place) => (place === 0 ? [3, 9] : [0, 1])) : logs.map(() => [2, 5, 12]));
  const files = new Map<string, Buffer>();
  const put = (name: string, content: unknown) =>
    files.set(
      name,
      typeof content === 'string'
        ? Buffer.from(content)
        : Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`),
    );

  const entryKey = formatVerifierKey(KEYS.old);
  const anchored: AnchorEntry[] = [
    {
      schema: 'custody.anchor/v1',
      time_ms: CASE_MS - 90_000,
      type: 'genesis',
      deployment: DEPLOYMENT,
      verifier_key: entryKey,
    },
    rotationEntry(options.rotation),
    ...logs.map(({ log, entries }) => checkpointEntry(log, entries)),
    ...logs.map(({ log, entries }) => checkpointEntry(log, entries.slice(0, 2))),
  ];
  const bodies = anchored.map(formatAnchorEntry);
  const leaves = bodies.map(anchorLeaf);
  const note = noteOf(origin, leaves, noteKeys);

  const windows: BundleLog[] = [];
  for (const [place, { log, entries }] of logs.entries()) {
    const index = String(place + 1).padStart(4, '0');
    const wanted = seqs[place] ?? [];
    const [from, to] = [BigInt(wanted[0] ?? 0), BigInt(wanted.at(-1) ?? 0)];
    const chosen = entries.filter(({ seq }) =>
      mode === 'range' ? seq >= from && seq <= to : wanted.includes(Number(seq)),
    );
    windows.push({ log, index, mode, from_seq: String(from), to_seq: String(to), entries: chosen.length });
    put(entriesFile(index), chosen.map(lineOf).join(''));
    const logLeaves = entries.map(({ leaf }) => leaf);
    const base = {
      log,
      size: String(entries.length),
      root: hex(rootOf(logLeaves)),
      anchor: {
        seq: String(2 + place),
        entry: Buffer.from(bodies[2 + place]!).toString('utf8'),
        size: String(leaves.length),
        hashes: inclusionOf(leaves, BigInt(2 + place)),
      },
    };
    put(
      proofFile(index),
      mode === 'range'
        ? rangeProof(base, logLeaves, from, to)
        : {
            mode,
            ...base,
            items: chosen.map(({ seq }) => ({ seq: String(seq), hashes: inclusionOf(logLeaves, seq) })),
          },
    );
    const logKeys = noteKeys.map((key) => signingKey(log, 'log', key.privateKey));
    put(logNoteFile(index), formatNote(noteOf(log, logLeaves, logKeys)));
  }
  put(FILE.case, {
    ...{
      schema: BUNDLE_SCHEMA,
      case: caseId,
      question: 'What did the agent do?',
      mode,
      deployment: DEPLOYMENT,
      tenant: TENANT,
    },
    ...{
      from_ms: CASE_MS - 60_000,
      to_ms: CASE_MS,
      filters: {},
      created_ms: CASE_MS + 60_000,
      operator: 'ana',
      reason: 'incident',
    },
    ...{
      tool: { name: 'mcp-custody', version: '0.1.0' },
      anchor_origin: origin,
      redactions: [],
      findings: [],
      left_out: [],
    },
  });
  put(FILE.logs, windows);
  const cosigned = witnesses.map((key) => signText(key, note.text, WITNESS_SEC));
  put(FILE.anchorNote, formatNote({ text: note.text, signatures: [...note.signatures, ...cosigned] }));
  put(
    FILE.rotations,
    options.rotation === 'none' ? [] : [rotationProof(options.rotation, leaves.slice(0, 2), bodies)],
  );
  const token = options.timestamp?.(Buffer.from(formatNote(note)));
  if (token !== undefined) files.set(timestampFile('tsa'), token);
  put(FILE.anchors, [
    { anchor: 'disk', type: 'place', size: String(leaves.length), evidence: 'anchors/acme.note' },
    ...(token === undefined
      ? []
      : [
          {
            anchor: 'tsa',
            type: 'timestamp',
            size: String(leaves.length),
            evidence: token.toString('base64'),
          },
        ]),
  ]);
  put(FILE.custody, custodyOf(caseId, options.bundleKey ?? KEYS.bundle));
  put(FILE.trustPolicy, {
    ...TRUST,
    witnesses: undefined,
    notary: [KEYS.old, KEYS.notary].map((key) => ({ verifier_key: formatVerifierKey(key) })),
  });
  put('data/timeline.csv', 'time,what\n');
  put('data/report/report.html', '<!doctype html><title>Case</title>\n');
  put('VERIFY.md', '# How to verify\n');
  return files;
}

const lineOf = ({ seq, preimage, body }: TestEntry): string => {
  const text = body.toString('utf8');
  const content = Buffer.from(text).equals(body) ? { body: text } : { body_base64: body.toString('base64') };
  return `${JSON.stringify({ seq: String(seq), preimage, ...content })}\n`;
};

const checkpointEntry = (log: string, entries: readonly TestEntry[]): AnchorEntry => ({
  ...{ schema: 'custody.anchor/v1', time_ms: CASE_MS, type: 'checkpoint', log, size: String(entries.length) },
  ...{ root: hex(rootOf(entries.map(({ leaf }) => leaf))), leaf: hex(entries.at(-1)!.leaf) },
});

function rangeProof(
  base: object,
  leaves: readonly Uint8Array[],
  from: bigint,
  to: bigint,
): BundleProofOf<'range'> {
  return {
    mode: 'range',
    ...(base as Pick<BundleProofOf<'range'>, 'log' | 'size' | 'root' | 'anchor'>),
    from_seq: String(from),
    to_seq: String(to),
    before: compactOf(leaves, 0n, from),
    after: compactOf(leaves, to + 1n, BigInt(leaves.length)),
  };
}

function rotationEntry(kind: BundleOptions['rotation']): AnchorEntry {
  const [old, next] = [
    formatVerifierKey(kind === 'by a stranger' ? KEYS.stranger : KEYS.old),
    formatVerifierKey(KEYS.notary),
  ];
  const prover = kind === 'unproven' ? KEYS.stranger : KEYS.notary;
  const proof = Buffer.from(signText(prover, keyRotationText(origin, old, next), 0n).signature).toString(
    'base64',
  );
  return {
    schema: 'custody.anchor/v1',
    time_ms: CASE_MS - 80_000,
    type: 'key_rotated',
    old,
    new: next,
    proof,
    operator: 'ana',
    reason: 'yearly',
  };
}

function rotationProof(
  kind: BundleOptions['rotation'],
  leaves: readonly Uint8Array[],
  bodies: readonly Uint8Array[],
) {
  const old = kind === 'by a stranger' ? KEYS.stranger : KEYS.old;
  const signers = kind === 'one signature' ? [KEYS.notary] : [old, KEYS.notary];
  const hashes = inclusionOf(leaves, 1n);
  return {
    seq: kind === 'not included' ? '0' : '1',
    entry: Buffer.from(bodies[1]!).toString('utf8'),
    size: '2',
    hashes,
    note: formatNote(noteOf(origin, leaves, signers)),
  };
}

const ACTS: readonly Pick<CustodyStatement, 'action' | 'act_id' | 'time_ms'>[] = [
  { action: 'collect', act_id: '0198f0a0-0000-7000-8000-000000000001', time_ms: CASE_MS + 1000 },
  { action: 'note', act_id: '0198f0a0-0000-7000-8000-000000000002', time_ms: CASE_MS + 2000 },
  { action: 'seal', act_id: '0198f0a0-0000-7000-8000-000000000003', time_ms: CASE_MS + 60_000 },
];

export function custodyOf(caseId: string, key: SigningKey): string {
  let head = EMPTY_CHAIN;
  let lines = '';
  for (const act of ACTS) {
    const signed = signAct(
      {
        ...act,
        actor: 'ana',
        role: 'responder',
        reason: 'incident',
        case: caseId,
        tool: 'mcp-custody 0.1.0',
        time_source: 'system clock',
      },
      head,
      key,
    );
    head = signed.head;
    lines += `${signed.line}\n`;
  }
  return lines;
}

/** Lists the files in both manifests and seals them. */
export function sealFiles(
  data: ReadonlyMap<string, Buffer>,
  { bundleKey = KEYS.bundle, mode = 'range', caseId = 'CASE-1' }: BundleOptions = {},
): Map<string, Buffer> {
  const files = new Map([...data].filter(([name]) => !/^(seal\.|(tag)?manifest-)/.test(name)));
  files.set(FILE.bagit, Buffer.from(BAGIT_TEXT));
  files.set(FILE.bagInfo, Buffer.from('External-Identifier: CASE-1\n'));
  const list = (names: string[]) =>
    Buffer.from(
      names
        .sort()
        .map((name) => `${bodyHash(files.get(name)!)}  ${name}\n`)
        .join(''),
    );
  files.set(FILE.manifest, list([...files.keys()].filter((name) => name.startsWith('data/'))));
  files.set(FILE.tagManifest, list([...files.keys()].filter((name) => !name.startsWith('data/'))));
  const windows = JSON.parse(files.get(FILE.logs)!.toString()) as BundleLog[];
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [FILE.manifest, FILE.tagManifest].map((name) => ({
      name,
      digest: { sha256: bodyHash(files.get(name)!) },
    })),
    predicateType: BUNDLE_PREDICATE_TYPE,
    predicate: {
      ...{
        case: caseId,
        mode,
        created_ms: CASE_MS + 60_000,
        tool: { name: 'mcp-custody', version: '0.1.0' },
      },
      logs: windows.map(({ log, from_seq, to_seq }) => ({ log, from_seq, to_seq })),
    },
  };
  files.set(
    FILE.seal,
    Buffer.from(
      formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, Buffer.from(canonicalJson(statement)), [bundleKey])),
    ),
  );
  return files;
}

/** The public half of a key under another name. */
export const renamed = (name: string, publicKey: KeyObject): string =>
  formatVerifierKey(verifierKey(name, 'log', publicKey));
