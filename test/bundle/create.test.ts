import { execFileSync } from 'node:child_process';
import { createHash, hash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createBundle,
  type BundleDeps,
  type BundleRequest,
  type CreatedBundle,
} from '../../bundle/create.ts';
import { createReceiptSource } from '../../bundle/receipts.ts';
import { caseRenderers } from '../../bundle/renderers.ts';
import { timestampFrom } from '../../bundle/timestamp.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createTsa, type TestTsa } from '../support/openssl-tsa.ts';
import { caseSchema, logsSchema, proofSchema, sealStatementSchema } from '../../evidence/bundle/format.ts';
import { anchorLeaf } from '../../evidence/anchor-log/entry.ts';
import { checkCustodyChain } from '../../evidence/custody-chain.ts';
import { envelopeVerifiedBy, parseEnvelope } from '../../evidence/dsse.ts';
import { leafHash } from '../../evidence/entry.ts';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { rootFromInclusion } from '../../evidence/merkle/proofs.ts';
import { parseCheckpoint } from '../../evidence/note/checkpoint.ts';
import { formatVerifierKey, verifiedBy, verifierKey } from '../../evidence/note/key.ts';
import { parseNote } from '../../evidence/note/note.ts';
import { parseTlogProof } from '../../evidence/note/tlog-proof.ts';
import { parseEntryExtra } from '../../evidence/receipt/entry-proof.ts';
import { eventSchema } from '../../schemas/event.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { verifyBundleAt } from '../../verifier/verify-path.ts';
import { decodeJsonTraces } from '../../collectors/otlp/json-traces.ts';
import { decodeLimits } from '../../collectors/otlp/limits.ts';
import { configSchema } from '../../schemas/config.ts';
import type { RawQuery } from '../../sinks/store/store.ts';
import {
  ALERT_ID,
  caseEvent,
  DEPLOYMENT,
  eventId,
  fillCaseStore,
  openCaseStore,
  SESSION,
  START_MS,
  type CaseStore,
} from './case-store.ts';
import { readZip } from './read-zip.ts';

let cases: CaseStore;
let directory: string;
let count = 0;
/** The bundle of the alert, for tests that only look at it. */
let shared: { readonly file: string; readonly created: CreatedBundle; readonly files: Map<string, Buffer> };

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'custody-bundle-'));
  cases = await openCaseStore();
  await fillCaseStore(cases);
  const request = requestOf();
  const timestamp = (bytes: Uint8Array) => Promise.resolve(Buffer.from(hash('sha256', bytes)));
  const created = await createBundle(request, depsOf({ timestamp }));
  shared = { file: request.outFile, created, files: await readZip(request.outFile) };
});
afterAll(async () => {
  await cases.close();
  rmSync(directory, { recursive: true, force: true });
});

function depsOf(changes: Partial<BundleDeps> = {}): BundleDeps {
  let id = 0;
  return {
    raw: cases.store.raw,
    deployment: DEPLOYMENT,
    clock: { nowMs: () => START_MS + 5_000_000 },
    newId: () => `00000000-0000-4000-8000-${String((id += 1)).padStart(12, '0')}`,
    tool: { name: 'mcp-custody', version: '0.1.0' },
    wait: { timeoutMs: 0, pollMs: 1, sleep: () => Promise.resolve(), onWait: () => undefined },
    signal: new AbortController().signal,
    onProgress: () => undefined,
    renderers: caseRenderers,
    tagFiles: new Map([['VERIFY.md', 'how\n']]),
    ...changes,
  };
}

const requestOf = (changes: Partial<BundleRequest> = {}): BundleRequest => ({
  caseId: 'INC-42',
  question: 'Why was it called so often?',
  operator: 'dana',
  role: 'analyst',
  reason: 'incident',
  query: { kind: 'alert', alertId: ALERT_ID },
  mode: 'range',
  outFile: join(directory, `case-${(count += 1)}.zip`),
  key: cases.bundleKey,
  evenIfInvalid: false,
  ...changes,
});

interface Line {
  readonly seq: string;
  readonly preimage: string;
  readonly body?: string;
  readonly body_base64?: string;
}
const parsed = (files: Map<string, Buffer>, name: string): unknown => JSON.parse(String(files.get(name)));
const linesOf = (files: Map<string, Buffer>, index: string): Line[] =>
  String(files.get(`data/entries/${index}.jsonl`))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const fromHex = (text: string) => Buffer.from(text, 'hex');

test('an alert gives whole windows of every log of its tenant over the time of its session, and nothing of other tenants', () => {
  const { file, files, created } = shared;
  expect(hash('sha256', readFileSync(file), 'hex')).toBe(created.sha256);

  const about = caseSchema.parse(parsed(files, 'data/case.json'));
  expect(about).toMatchObject({
    case: 'INC-42',
    mode: 'range',
    tenant: 'acme',
    filters: { alert: ALERT_ID },
  });
  // The session's first call is the first entry of the log; its last one is call 60, in the last batch.
  expect(about.from_ms).toBe(START_MS);
  expect(about.to_ms).toBe(START_MS + 90_000);
  const logs = logsSchema.parse(parsed(files, 'data/logs.json'));
  expect(logs.map(({ log }) => log)).toEqual(
    ['t-alerts', 't-deadletter', 't-events'].map((topic) => cases.logOf('acme', topic)),
  );
  expect(logs.map(({ from_seq, to_seq, entries }) => [from_seq, to_seq, entries])).toEqual([
    ['0', '1', 2],
    ['0', '1', 2],
    ['0', '61', 62],
  ]);
  expect(created.entryCount).toBe(66);
  expect([...files.values()].some((content) => content.includes('globex'))).toBe(false);
});

test('every entry leads over its proof to the signed, cosigned checkpoint of the anchor log', async () => {
  const request = requestOf({
    query: { kind: 'window', tenant: 'acme', fromMs: START_MS + 50, toMs: START_MS + 460 },
  });
  await createBundle(request, depsOf());
  const files = await readZip(request.outFile);
  const note = parseNote(files.get('data/checkpoints/anchor.note') ?? '');
  const anchored = parseCheckpoint(note.text);
  expect(verifiedBy(note, [cases.notaryKey, cases.witnessKey]).by.map(({ key }) => key.name)).toEqual([
    cases.notaryKey.name,
    cases.witnessKey.name,
  ]);
  const logs = logsSchema.parse(parsed(files, 'data/logs.json'));
  expect(logs).toHaveLength(3);
  for (const { log, index, from_seq, to_seq } of logs) {
    const proof = proofSchema.parse(parsed(files, `data/proofs/${index}.json`));
    if (proof.mode !== 'range') throw new Error('not a range');
    const size = BigInt(proof.size);
    const tree = growRange({ begin: 0n, end: BigInt(from_seq), hashes: proof.before.map(fromHex) });
    for (const { preimage } of linesOf(files, index)) tree.append(fromHex(leafHash(preimage)));
    tree.join({ begin: BigInt(to_seq) + 1n, end: size, hashes: proof.after.map(fromHex) });
    expect(tree.end).toBe(size);
    expect(Buffer.from(tree.root()).toString('hex')).toBe(proof.root);
    const { anchor } = proof;
    expect(JSON.parse(anchor.entry)).toMatchObject({
      type: 'checkpoint',
      log,
      size: proof.size,
      root: proof.root,
    });
    const root = rootFromInclusion(
      anchorLeaf(Buffer.from(anchor.entry)),
      BigInt(anchor.seq),
      BigInt(anchor.size),
      anchor.hashes.map(fromHex),
    );
    expect(BigInt(anchor.size)).toBe(anchored?.size);
    expect(root).toEqual(anchored?.root);
    const own = parseNote(files.get(`data/checkpoints/logs/${index}.note`) ?? '');
    expect(verifiedBy(own, [verifierKey(log, 'log', cases.notaryKey.publicKey)]).by).toHaveLength(1);
  }
});

test('bodies are the exact bytes: text as JSON, anything else as base64, whatever characters it holds', () => {
  const { files } = shared;
  const bodyOf = ({ body, body_base64 }: Line) =>
    body === undefined ? Buffer.from(body_base64 ?? '', 'base64') : Buffer.from(body);
  for (const index of ['0001', '0002', '0003'])
    for (const line of linesOf(files, index))
      expect(line.preimage.trimEnd().split('\n')[7]).toBe(
        createHash('sha256').update(bodyOf(line)).digest('hex'),
      );
  expect(linesOf(files, '0002')[1]?.body_base64).toBe(Buffer.from([0xff, 0xfe, 0]).toString('base64'));
  expect(linesOf(files, '0003').some(({ body }) => body?.includes('\u2028<script>'))).toBe(true);
});

test('a selection has single entries with a proof each, and says that it is not complete', async () => {
  const request = requestOf({ mode: 'selection' });
  await createBundle(request, depsOf());
  const files = await readZip(request.outFile);
  const about = caseSchema.parse(parsed(files, 'data/case.json'));
  expect(about.claim).toMatch(/No completeness is claimed/);
  const logs = logsSchema.parse(parsed(files, 'data/logs.json'));
  expect(logs.map(({ entries }) => entries)).toEqual([1, 13]);
  for (const { index } of logs) {
    const proof = proofSchema.parse(parsed(files, `data/proofs/${index}.json`));
    if (proof.mode !== 'selection') throw new Error('not a selection');
    const lines = linesOf(files, index);
    expect(proof.items.map(({ seq }) => seq)).toEqual(lines.map(({ seq }) => seq));
    for (const [place, { seq, hashes }] of proof.items.entries()) {
      const leaf = fromHex(leafHash(lines[place]?.preimage ?? ''));
      const root = rootFromInclusion(leaf, BigInt(seq), BigInt(proof.size), hashes.map(fromHex));
      expect(Buffer.from(root ?? []).toString('hex')).toBe(proof.root);
    }
  }
});

test('the seal signs both manifests, which list every other file with its hash', () => {
  const { files } = shared;
  const names = [...files.keys()];
  expect(names).toEqual([...names].sort());
  const manifest = (name: string) =>
    new Map(
      String(files.get(name))
        .trimEnd()
        .split('\n')
        .map((line) => [line.slice(66), line.slice(0, 64)]),
    );
  const listed = new Map([...manifest('manifest-sha256.txt'), ...manifest('tagmanifest-sha256.txt')]);
  expect([...listed.keys(), 'tagmanifest-sha256.txt', 'seal.dsse.json', 'seal.tsr'].sort()).toEqual(names);
  for (const [name, sha256] of listed) expect(hash('sha256', files.get(name) ?? '', 'hex')).toBe(sha256);
  const seal = parseEnvelope(files.get('seal.dsse.json') ?? '');
  expect(envelopeVerifiedBy(seal, [cases.bundleKey]).by).toHaveLength(1);
  const statement = sealStatementSchema.parse(JSON.parse(Buffer.from(seal.payload).toString()));
  for (const { name, digest } of statement.subject)
    expect(hash('sha256', files.get(name) ?? '', 'hex')).toBe(digest.sha256);
  expect(String(files.get('seal.tsr'))).toBe(hash('sha256', files.get('seal.dsse.json') ?? '', 'hex'));
});

/** A time whose entries a witnessed checkpoint covers. */
const CONFIRMED = { kind: 'window', tenant: 'acme', fromMs: START_MS + 50, toMs: START_MS + 460 } as const;

describe('with a timestamp authority', () => {
  let tsa: TestTsa;
  let server: Server;
  let url: URL;
  /** What the authority answers to a request. */
  let answer: (request: Buffer) => Buffer;
  beforeAll(async () => {
    tsa = createTsa();
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => response.end(answer(Buffer.concat(chunks))));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });
  afterAll(() => {
    server.close();
    tsa.remove();
  });

  test('the seal has a token that openssl and the verifier accept over it, and over nothing else', async () => {
    answer = (request) => tsa.reply(request);
    const request = requestOf({ mode: 'selection', query: CONFIRMED });
    await createBundle(request, depsOf({ timestamp: timestampFrom(url, systemClock) }));
    const files = await readZip(request.outFile);
    const [seal, token] = [files.get('seal.dsse.json'), files.get('seal.tsr')].map(
      (file) => file ?? Buffer.of(),
    );
    expect(tsa.verify(seal ?? Buffer.of(), token ?? Buffer.of(), true)).toBe(true);
    expect(tsa.verify(Buffer.from(`${String(seal)} `), token ?? Buffer.of(), true)).toBe(false);
    const under = async (certificates_pem: string) =>
      verifyBundleAt(request.outFile, {
        trust: { ...trustPolicy(), timestamp_authorities: [{ name: 'lab', certificates_pem }] },
      });
    expect(await under(tsa.rootPem)).toMatchObject({
      verdict: 'valid',
      timestamps: [{ file: 'seal.tsr', status: 'valid', authority: 'lab' }],
    });
    const stranger = createTsa();
    expect(await under(stranger.rootPem)).toMatchObject({
      verdict: 'invalid',
      findings: [{ cause: 'TIMESTAMP', file: 'seal.tsr' }],
    });
    stranger.remove();
  });

  test('a token over something else ends the export, and nothing is left', async () => {
    const other = tsa.reply(tsa.query(Buffer.from('something else'), '-cert'));
    answer = () => other;
    const request = requestOf({ mode: 'selection' });
    await expect(
      createBundle(request, depsOf({ timestamp: timestampFrom(url, systemClock) })),
    ).rejects.toThrow(/cannot have timestamp authority .* stamp: .*; leave out --timestamp/);
    expect(existsSync(request.outFile)).toBe(false);
    expect(existsSync(`${request.outFile}.partial`)).toBe(false);
  });
});

test('the same case gives the same bytes, in another time zone too', async () => {
  const [first, second] = [requestOf(), requestOf()];
  const zone = process.env['TZ'];
  process.env['TZ'] = 'Pacific/Auckland';
  const a = await createBundle(first, depsOf());
  process.env['TZ'] = 'America/Los_Angeles';
  const b = await createBundle(second, depsOf());
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
  expect(Buffer.compare(readFileSync(first.outFile), readFileSync(second.outFile))).toBe(0);
  expect(a.sha256).toBe(b.sha256);
});

test('alerts, timeline, spans, policies and tools are those of the case', () => {
  const { files } = shared;
  expect(parsed(files, `data/alerts/${ALERT_ID}.json`)).toMatchObject({
    entry: { log: cases.logOf('acme', 't-alerts'), seq: '1', append_time_ms: START_MS + 450 },
    evidence: [
      { event_id: eventId(10), log: cases.logOf('acme', 't-events'), seq: '11' },
      { event_id: eventId(15), log: cases.logOf('acme', 't-events'), seq: '16' },
    ],
    alert: { alert_id: ALERT_ID, severity: 'high' },
  });
  const times = String(files.get('data/timeline.csv'))
    .trimEnd()
    .split('\r\n')
    .slice(1)
    .map((line) => Number(line.split(',')[1]));
  expect(times).toHaveLength(66);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const spans = String(files.get('data/spans/otlp.jsonl')).trimEnd().split('\n');
  expect(spans).toHaveLength(61);
  const limits = decodeLimits(configSchema.parse({}).ingest);
  const [decoded] = [...decodeJsonTraces(Buffer.from(spans[0] ?? ''), limits)];
  expect(decoded).toMatchObject({
    value: {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      startTimeUnixNano: `${START_MS}000000`,
    },
  });
  expect(parsed(files, 'data/policies.json')).toMatchObject({
    policies: expect.arrayContaining([
      expect.objectContaining({ rule: 'no-egress', version: '7', decision: 'deny', count: 16 }),
    ]),
    detectors: [expect.objectContaining({ id: 'loop', version: 3, count: 1 })],
  });
  expect(parsed(files, 'data/tools.json')).toMatchObject({
    tools: expect.arrayContaining([
      expect.objectContaining({
        server: 'files',
        tool: 'read',
        definition_digest: 'ab'.repeat(32),
        seen: 'called',
      }),
    ]),
  });
});

test('the acts up to sealing are a chain that the bundle key signed', () => {
  const { files } = shared;
  const text = String(files.get('data/custody/custody.jsonl'));
  const { acts, findings } = checkCustodyChain(text, { keys: [cases.bundleKey] });
  expect(findings).toEqual([]);
  expect(acts.map(({ action, actor, case: about }) => [action, actor, about])).toEqual([
    ['collect', 'dana', 'INC-42'],
    ['seal', 'dana', 'INC-42'],
  ]);
});

const trustPolicy = (): TrustPolicy => ({
  schema: 'custody.trust/v1',
  deployment: DEPLOYMENT,
  notary: [{ verifier_key: formatVerifierKey(cases.notaryKey) }],
  witnesses: { quorum: 1, keys: [formatVerifierKey(cases.witnessKey)] },
  bundle_keys: [formatVerifierKey(cases.bundleKey)],
});

test.each(['range', 'selection'] as const)(
  'the verifier finds a %s bundle valid under pinned keys alone',
  async (mode) => {
    const request = requestOf({ mode });
    await createBundle(
      { ...request, query: CONFIRMED },
      depsOf({ receipts: createReceiptSource(cases.store.raw, cases.bundleKey) }),
    );
    const verdict = await verifyBundleAt(request.outFile, { trust: trustPolicy() });
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ verdict: 'valid', mode, case: 'INC-42', key_source: 'pinned' });
    expect((await verifyBundleAt(request.outFile, { trust: undefined })).verdict).toBe('undecidable');
  },
);

test('a bundle that was exported although the store contradicts it is never valid', async () => {
  const raw = tampered((statement) =>
    statement.replace(
      /leaf, body FROM custody.entries/,
      "leaf, if(seq = 20, 'x', body) FROM custody.entries",
    ),
  );
  const request = requestOf({ evenIfInvalid: true });
  await createBundle(request, depsOf({ raw }));
  const { verdict, findings } = await verifyBundleAt(request.outFile, { trust: trustPolicy() });
  expect(verdict).toBe('invalid');
  expect(findings.map(({ cause }) => cause)).toEqual(
    expect.arrayContaining(['EXPORTED_INVALID', 'BODY_HASH']),
  );
});

test('calls that were asked about have receipts with the proof that their entry is in the log', async () => {
  const request = requestOf();
  const receipts = createReceiptSource(cases.store.raw, cases.bundleKey);
  await createBundle(request, depsOf({ receipts }));
  const files = await readZip(request.outFile);
  const names = [...files.keys()].filter((name) => name.startsWith('data/receipts/'));
  // 13 calls of the session, each with a decision and an outcome, three files each.
  expect(names).toHaveLength(13 * 2 * 3);
  for (const name of names.filter((each) => each.endsWith('.receipt.json'))) {
    const { by } = envelopeVerifiedBy(parseEnvelope(files.get(name) ?? ''), [cases.bundleKey]);
    expect(by).toHaveLength(1);
    const base = name.replace('.receipt.json', '');
    const proof = parseTlogProof(String(files.get(`${base}.tlog-proof`)));
    const { preimage } = parseEntryExtra(proof.extra ?? Buffer.alloc(0)) ?? { preimage: '' };
    const head = parseCheckpoint(proof.checkpoint.text);
    expect(
      rootFromInclusion(fromHex(leafHash(preimage)), proof.index, head?.size ?? 0n, proof.hashes),
    ).toEqual(head?.root);
  }
});

test('what is held for receipts is bounded, whatever size bodies are and however often a call is told of', () => {
  const event = eventSchema.parse(JSON.parse(String(caseEvent(1, 'acme'))));
  const receipts = createReceiptSource(cases.store.raw, cases.bundleKey);
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const used = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let n = 0; n < 3000; n += 1) {
    const tool = { ...event.tool, name: 'read', call_id: `c-${n % 300}` };
    const body = Buffer.alloc(64 * 1024, String(n)).toString('latin1');
    receipts.push({
      ...{ log: 'l', seq: BigInt(n), topic: 'custody.events', appendTimeMs: n, kind: 'event', bodySha: '' },
      ...{ preimage: `preimage ${n}`, body, event: { ...event, tool } },
    });
  }
  expect(used() - before).toBeLessThan(24 * 1024 * 1024);
});

test('a session is found by its key, and one that nobody has is an error', async () => {
  const request = requestOf({ query: { kind: 'session', sessionKey: SESSION, tenant: 'globex' } });
  const created = await createBundle(request, depsOf());
  expect(created.logs.map(({ log }) => log)).toEqual([cases.logOf('globex', 't-events')]);
  const query = { kind: 'session', sessionKey: SESSION, tenant: undefined } as const;
  await expect(createBundle(requestOf({ query }), depsOf())).rejects.toThrow(/more than one tenant/);
  const unknown = requestOf({ query: { kind: 'session', sessionKey: "no'such", tenant: undefined } });
  await expect(createBundle(unknown, depsOf())).rejects.toThrow(/no entry in the store has this session key/);
  expect(existsSync(unknown.outFile)).toBe(false);
});

/** Stands between the store and the export: changes what statements about entries say. */
const tampered =
  (change: (statement: string) => string): RawQuery =>
  (statement) =>
    cases.store.raw(change(statement));

test('a store that contradicts its checkpoint is named, and exported only where that is asked for', async () => {
  // The body column gives other bytes for one entry: what a changed row would.
  const raw = tampered((statement) =>
    statement.replace(
      /leaf, body FROM custody.entries/,
      "leaf, if(seq = 20, 'x', body) FROM custody.entries",
    ),
  );
  const request = requestOf();
  await expect(createBundle(request, depsOf({ raw }))).rejects.toMatchObject({
    code: 'integrity',
    message: expect.stringMatching(/BODY_HASH in cases\/acme\/t-events-0\/0 at 20/),
  });
  expect(readdirSync(directory).filter((name) => name.startsWith(`case-${count}`))).toEqual([]);
  const forced = requestOf({ evenIfInvalid: true });
  const { findings } = await createBundle(forced, depsOf({ raw }));
  expect(findings).toMatchObject([{ cause: 'BODY_HASH', seq: '20' }]);
  const about = caseSchema.parse(parsed(await readZip(forced.outFile), 'data/case.json'));
  expect(about.claim).toMatch(/^NOT PROVEN/);
  expect(about.findings).toMatchObject([{ cause: 'BODY_HASH', seq: '20' }]);
});

test('rows that are gone are found, inside and at the end', async () => {
  const without = (condition: string) =>
    tampered((statement) =>
      statement.includes('SELECT log, tenant')
        ? statement.replace('WHERE ', `WHERE NOT (${condition}) AND `)
        : statement,
    );
  const gap = createBundle(requestOf({ evenIfInvalid: true }), depsOf({ raw: without('seq = 30') }));
  expect((await gap).findings.map(({ cause, seq }) => `${cause} ${seq}`)).toEqual([
    'GAP 30',
    'ROOT_MISMATCH 0',
  ]);
  const cut = createBundle(requestOf({ evenIfInvalid: true }), depsOf({ raw: without('seq >= 60') }));
  expect((await cut).findings.map(({ cause, seq }) => `${cause} ${seq}`)).toEqual([
    'TRUNCATED 60',
    'ROOT_MISMATCH 0',
  ]);
});

test('entries that no checkpoint covers are waited for, and then refused with what to do', async () => {
  await cases.append('custody.events', [{ key: 'globex', value: Buffer.from('{}') }], START_MS + 200_000);
  const query = {
    kind: 'window',
    tenant: 'globex',
    fromMs: START_MS + 200_000,
    toMs: START_MS + 200_000,
  } as const;
  const waits: string[] = [];
  const wait = {
    timeoutMs: 10,
    pollMs: 5,
    sleep: () => Promise.resolve(),
    onWait: ({ log, seq }: { log: string; seq: bigint }) => void waits.push(`${log} ${seq}`),
  };
  await expect(createBundle(requestOf({ query }), depsOf({ wait }))).rejects.toThrow(
    /start the pipeline with its notary/,
  );
  expect(waits).toEqual([`${cases.logOf('globex', 't-events')} 21`]);
  const created = await createBundle(
    requestOf({ query }),
    depsOf({ wait: { ...wait, timeoutMs: 1000, sleep: () => cases.sign() } }),
  );
  expect(created.entryCount).toBe(1);
});

test('an export that is ended leaves no file, one that was killed is cleared away by the next', async () => {
  const request = requestOf();
  const ending = new AbortController();
  const ended = createBundle(
    request,
    depsOf({ signal: ending.signal, onProgress: (step) => step === 'render' && ending.abort() }),
  );
  await expect(ended).rejects.toThrow(/abort/);
  expect(existsSync(request.outFile)).toBe(false);
  expect(existsSync(`${request.outFile}.partial`)).toBe(false);
  execFileSync('mkdir', ['-p', `${request.outFile}.partial/bag/data`]);
  execFileSync('touch', [`${request.outFile}.partial/bag/data/left-behind.json`]);
  await createBundle(request, depsOf());
  expect([...(await readZip(request.outFile)).keys()]).not.toContain('data/left-behind.json');
  expect(existsSync(`${request.outFile}.partial`)).toBe(false);
});

test('a bundle is never overwritten, and two exports do not write one file', async () => {
  const request = requestOf();
  const [one, two] = await Promise.allSettled([
    createBundle(request, depsOf()),
    createBundle(request, depsOf()),
  ]);
  expect([one.status, two.status].sort()).not.toEqual(['fulfilled', 'fulfilled']);
  if (!existsSync(request.outFile)) await createBundle(request, depsOf());
  await expect(createBundle(request, depsOf())).rejects.toThrow(
    /it exists, and evidence is never overwritten/,
  );
});
