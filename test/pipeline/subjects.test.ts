import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { run } from '../../cli/program.ts';
import { notaryStateDir } from '../../pipeline/notary-state-dir.ts';
import { startPipeline, type Pipeline } from '../../pipeline/assemble.ts';
import { ROLES } from '../../pipeline/roles.ts';
import { requestAct, awaitAct } from '../../notary/requests.ts';
import { systemClock } from '../../runtime/clock.ts';
import { configSchema } from '../../schemas/config.ts';
import { twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { until } from '../support/pipeline-process.ts';

/** The whole embedded pipeline with sealing, and the commands beside it. Tests run in order: it is one story. */
const ANN = 'ann.unusual-name@example.com';
const BOB = 'bob@example.com';
let dataDir: string;
let pipeline: Pipeline;
let url: { http: string; sql: string };
const logged: string[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'custody-sealed-'));
  const loopback = { enabled: true, host: '127.0.0.1', port: 0 };
  const config = configSchema.parse({
    data_dir: dataDir,
    subjects: { enabled: true },
    ingest: { http: loopback, grpc: { ...loopback, enabled: false } },
    sql: { listener: loopback },
    admin: { listener: loopback },
    notary: { interval_ms: 200 },
    ledger: { linger_ms: 10 },
  });
  pipeline = await startPipeline({
    config,
    version: 'test',
    roles: new Set(ROLES),
    tokens: { ingest: [], sql: [], admin: [] },
    secrets: () => '',
    clock: systemClock,
    logger: pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
  });
  const { http, sql } = pipeline.addresses;
  url = { http: `http://127.0.0.1:${http?.port}`, sql: `http://127.0.0.1:${sql?.port}` };
});
afterAll(async () => {
  await pipeline.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function send(records: readonly object[]): Promise<void> {
  const body = records.map((record) => JSON.stringify(record)).join('\n');
  const headers = { 'content-type': 'application/x-ndjson' };
  const response = await fetch(`${url.http}/v1/audit`, { method: 'POST', headers, body });
  expect(await response.json()).toMatchObject({ accepted: records.length, malformed: 0 });
}

async function rows<T>(sql: string): Promise<T[]> {
  const response = await fetch(`${url.sql}/?default_format=JSONEachRow`, { method: 'POST', body: sql });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** One command beside the pipeline, in JSON. */
async function custody(
  ...args: string[]
): Promise<{ code: number; out: Record<string, unknown>[]; err: string }> {
  let out = '';
  let err = '';
  const stdout = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((chunk) => ((out += String(chunk)), true));
  const stderr = vi
    .spyOn(process.stderr, 'write')
    .mockImplementation((chunk) => ((err += String(chunk)), true));
  try {
    const code = await run(['node', 'custody', ...args, '--json', '--data-dir', dataDir]);
    const lines = out.split('\n').filter((line) => line !== '');
    return { code, out: lines.map((line) => JSON.parse(line) as Record<string, unknown>), err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

const call = (id: string, user: string, tenant = 'acme') => ({
  id,
  tenant,
  kind: 'tool_call',
  'tool.name': 'send_mail',
  'actor.id': 'desk-agent',
  'user.id': user,
  'policy.decision': 'allow',
  'policy.approver': BOB,
  arguments: { text: `a very private sentence of ${id}` },
});
const entriesOf = (user: string) =>
  rows<{ log: string; seq: string; leaf: string; body: string }>(
    `SELECT log, toString(seq) AS seq, lower(hex(leaf)) AS leaf, body FROM custody.entries WHERE topic = 'custody.events' AND user_id = '${user}' ORDER BY log, seq`,
  );
/** What `custody verify` finds, with every entry built again. That no key is pinned here says nothing about the store. */
async function contradictions(): Promise<unknown[]> {
  const { out } = await custody('verify', '--rebuild');
  const report = out[0] as { verdict: string; entries: number; findings: { cause: string }[] };
  expect(report.verdict).not.toBe('invalid');
  expect(report.entries).toBeGreaterThan(4);
  return report.findings.filter(({ cause }) => cause !== 'NO_PINNED_KEY');
}
const act = ['--operator', 'olga', '--reason', 'request 4711'];
let ann: string;
let bob: string;
let annEntries: Awaited<ReturnType<typeof entriesOf>>;

it('keeps no plain value anywhere on disk, and one name for each person and tenant', async () => {
  verifies('P7');
  await send([call('one', ANN), call('two', ANN), call('three', BOB), call('four', ANN, 'globex')]);
  const named = await custody('subject', 'pseudonym', 'acme', ANN);
  ann = String(named.out[0]?.['subject']);
  bob = String((await custody('subject', 'pseudonym', 'acme', BOB)).out[0]?.['subject']);
  await until('the ledger has the events', async () => (await entriesOf(ann)).length === 2);
  annEntries = await entriesOf(ann);
  const elsewhere = String((await custody('subject', 'pseudonym', 'globex', ANN)).out[0]?.['subject']);
  expect(elsewhere).not.toBe(ann);
  expect(
    await rows(
      'SELECT user_id, count() AS n FROM custody.tool_calls GROUP BY user_id ORDER BY n DESC, user_id',
    ),
  ).toEqual(
    expect.arrayContaining([
      { user_id: ann, n: 2 },
      { user_id: bob, n: 1 },
      { user_id: elsewhere, n: 1 },
    ]),
  );
  const body = JSON.parse(annEntries[0]?.body ?? '') as { policy: { approver: string } };
  expect(body.policy.approver).toBe(bob);
  let looks = 0;
  while (!(await everyFileIsFreeOf(dataDir, [ANN, BOB, 'a very private sentence'])))
    expect((looks += 1), 'looks at a store that will not rest').toBeLessThan(100);
  expect(logged.join('')).not.toContain('@example.com');
});

it('reveals a field to whoever has the keys, with a proof anybody can check, and puts that on record', async () => {
  const [entry] = annEntries;
  const revealed = await custody('subject', 'reveal', entry?.log ?? '', entry?.seq ?? '', ...act);
  expect(revealed).toMatchObject({ code: 0, err: '' });
  const [answer] = revealed.out as unknown as {
    recorded: boolean;
    leaf: string;
    fields: {
      path: string;
      state: string;
      value: unknown;
      salt: string;
      canonical: string;
      commitment: string;
    }[];
  }[];
  expect(answer).toMatchObject({ recorded: true, leaf: entry?.leaf });
  expect(answer?.fields.map(({ path, value }) => [path, value])).toEqual([
    ['actor.user_id', ANN],
    ['arguments.summary', '{"text":"a very private sentence of one"}'],
    ['policy.approver', BOB],
  ]);
  for (const { salt, canonical, commitment } of answer?.fields ?? []) {
    const proof = createHash('sha256').update(Buffer.from(salt, 'hex')).update(canonical).digest('hex');
    expect(proof).toBe(commitment);
    expect(entry?.body).toContain(commitment);
  }
  const record = "SELECT body FROM custody.entries WHERE position(body, 'custody.subject.reveal') > 0";
  await until('the record of it is in the ledger', async () => (await rows(record)).length === 1);
  const [line] = await rows<{ body: string }>(record);
  expect(line?.body).toContain(entry?.log);
  expect(line?.body).not.toContain(ANN);
});

it('refuses an erasure that names the subject in its reason, and one of nobody', async () => {
  const named = await custody(
    'subject',
    'erase',
    'acme',
    ANN,
    '--operator',
    'olga',
    '--reason',
    `erase ${ANN}`,
  );
  expect(named.code).toBe(2);
  expect(named.err).toMatch(/kept for ever/);
  expect(named.err).not.toContain(ANN);
  const nobody = await custody('subject', 'erase', 'acme', 'carol@example.com', ...act);
  expect(nobody.code).toBe(2);
  expect(nobody.err).toMatch(/has no key for it/);
});

it('refuses an erasure under a legal hold, as the notary signed it', async () => {
  const stateDir = notaryStateDir(configSchema.parse({ data_dir: dataDir }));
  const by = { operator: 'judge', reason: 'case 7' };
  const hold = await requestAct(stateDir, { type: 'hold', hold_id: 'case-7', tenant: 'acme', ...by });
  // From the moment it is asked for, entered or not.
  expect((await custody('subject', 'erase', 'acme', ann, ...act)).err).toMatch(/legal hold case-7 covers/);
  expect(await awaitAct(stateDir, hold.id, 120_000)).toBeDefined();
  const refused = await custody('subject', 'erase', 'acme', ann, ...act);
  expect(refused.code).toBe(6);
  expect(refused.err).toMatch(/cannot erase subj-[0-9a-f]+: legal hold case-7 covers tenant acme/);
  expect((await custody('subject', 'erase', 'acme', ann, '--dry-run', ...act)).code).toBe(6);
  const release = await requestAct(stateDir, { type: 'hold_released', hold_id: 'case-7', ...by });
  expect(await awaitAct(stateDir, release.id, 120_000)).toBeDefined();
});

it('erases: the fields cannot be read again, no row changed, every hash and the verdict as before', async () => {
  verifies('P4');
  expect(await contradictions()).toEqual([]);
  const dry = await custody('subject', 'erase', 'acme', ANN, '--dry-run', ...act);
  expect(dry.out[0]).toMatchObject({ state: 'would_erase', subject: ann, holds_verified: true });
  const [entry] = annEntries;
  const before = await custody('subject', 'check', 'acme', ANN);
  expect(before).toMatchObject({
    code: 1,
    out: [{ erased: false, keys: [{ state: 'readable', entries: '2' }] }],
  });

  const erased = await custody('subject', 'erase', 'acme', ANN, ...act, '--ticket', 'DSR-9');
  expect(erased).toMatchObject({ code: 0, out: [{ state: 'erased', subject: ann }] });

  expect(await entriesOf(ann)).toEqual(annEntries);
  const revealed = await custody('subject', 'reveal', entry?.log ?? '', entry?.seq ?? '', ...act);
  expect(revealed.code).toBe(1);
  expect(revealed.out[0]).toMatchObject({
    fields: [
      { path: 'actor.user_id', state: 'erased' },
      { path: 'arguments.summary', state: 'erased' },
      // Who approved is somebody else.
      { path: 'policy.approver', state: 'revealed', value: BOB },
    ],
  });
  expect(await contradictions()).toEqual([]);
  const checked = await custody('subject', 'check', 'acme', ann);
  expect(checked).toMatchObject({
    code: 0,
    out: [{ erased: true, keys: [{ state: 'erased', entries: '2' }] }],
  });
  const entries = await rows<{ body: string }>(
    "SELECT body FROM custody.anchor_entries WHERE type = 'erased'",
  );
  expect(entries).toHaveLength(1);
  expect(JSON.parse(entries[0]?.body ?? '')).toMatchObject({
    type: 'erased',
    tenant: 'acme',
    subject: ann,
    operator: 'olga',
    reason: 'request 4711 (DSR-9)',
  });
  twin(43, 'process');
});

it('gives what comes later of the same person the same name and a new key', async () => {
  await send([call('five', ANN)]);
  await until('the ledger has it', async () => (await entriesOf(ann)).length === 3);
  const [, , later] = await entriesOf(ann);
  const revealed = await custody(
    'subject',
    'reveal',
    later?.log ?? '',
    later?.seq ?? '',
    '--field',
    'actor.user_id',
    ...act,
  );
  expect(revealed.out[0]).toMatchObject({ fields: [{ state: 'revealed', value: ANN }] });
  const { out } = await custody('subject', 'list', '--tenant', 'acme');
  const ofAnn = out.filter(({ subject }) => subject === ann).map(({ state }) => state);
  expect(ofAnn).toEqual(['readable', 'erased']);
  expect(await custody('subject', 'check', 'acme', ANN)).toMatchObject({
    code: 1,
    out: [
      {
        erased: false,
        keys: expect.arrayContaining([{ state: 'readable', entries: '1', key_id: expect.any(String) }]),
      },
    ],
  });
});

it('says what is wrong with an entry that cannot be revealed', async () => {
  const [entry] = annEntries;
  const none = await custody('subject', 'reveal', entry?.log ?? '', '999999', ...act);
  expect(none).toMatchObject({ code: 2 });
  expect(none.err).toMatch(/there is none/);
  const genesis = await custody('subject', 'reveal', entry?.log ?? '', '0', ...act);
  expect(genesis.err).toMatch(/no event with sealed fields|nothing in it is sealed/);
  expect((await custody('subject', 'reveal', 'x', 'y', ...act)).err).toMatch(/the position is not a number/);
});

/** Reads every file; false when one of them went away meanwhile (the store merges and renames its parts): look again. */
async function everyFileIsFreeOf(directory: string, secrets: readonly string[]): Promise<boolean> {
  const isGone = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      if (isGone(error)) return undefined;
      throw error;
    },
  );
  let complete = entries !== undefined;
  for (const entry of entries ?? []) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name)).catch((error: unknown) => {
      if (isGone(error)) return undefined;
      throw error;
    });
    complete &&= bytes !== undefined;
    for (const secret of secrets)
      expect(bytes?.includes(secret) ?? false, `${entry.name} holds ${secret}`).toBe(false);
  }
  return complete;
}
