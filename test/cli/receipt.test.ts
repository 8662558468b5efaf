import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openUsedReceipts } from '../../cli/used-receipts.ts';
import { formatSigningKey, formatVerifierKey } from '../../evidence/note/key.ts';
import { TRUST_SCHEMA } from '../../schemas/trust-policy.ts';
import { keyOf } from '../evidence/receipt/receipt-world.ts';
import { DEPLOYMENT, openArena, type Arena } from '../notary/arena.ts';
import { verifies } from '../requirements.ts';
import { captured } from './captured.ts';

const key = keyOf(`${DEPLOYMENT}/receipts`);
let arena: Arena;
let directory: string;
let trustFile: string;
let keyFile: string;

/** Two calls under a checkpoint, one that none covers, in the data directory of a stopped pipeline. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'custody-receipts-'));
  arena = await openArena();
  // Live receipts are judged by the clock of the machine.
  arena.nowMs = Date.now() - 120_000;
  await arena.write('acme', 2);
  await arena.step();
  await arena.write('acme', 1);
  trustFile = join(directory, 'trust.json');
  keyFile = join(directory, 'receipts.key');
  const notary = [{ verifier_key: formatVerifierKey(arena.keys.current) }];
  const receipt_issuers = [{ issuer: key.name, verifier_key: formatVerifierKey(key), assurance: 'observed' }];
  writeFileSync(
    trustFile,
    JSON.stringify({ schema: TRUST_SCHEMA, deployment: DEPLOYMENT, notary, receipt_issuers }),
  );
  writeFileSync(keyFile, `${formatSigningKey(key)}\n`);
  await arena.store.close();
});
afterAll(async () => {
  await arena.state.close();
  rmSync(arena.directory, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
});

/** Runs a command line in this process. */
async function custody(...words: readonly string[]) {
  const { code, stdout: out, stderr: err } = await captured('receipt', ...words);
  return { code, out, err };
}

const out = () => join(directory, 'out');
const get = (id: string, ...more: readonly string[]) =>
  custody('get', id, '--data-dir', arena.directory, '--out', out(), ...more);

it('writes receipts of a call that verify offline, and says of the decision that it is no more', async () => {
  verifies('P4');
  const got = await get('call-1', '--key', keyFile, '--json');
  expect(got).toMatchObject({ code: 0, err: '' });
  const { receipts } = JSON.parse(got.out) as {
    receipts: { kind: string; assurance: string; files: string[] }[];
  };
  expect(receipts.map(({ kind, assurance }) => `${kind} ${assurance}`)).toEqual([
    'decision observed',
    'outcome observed',
  ]);
  const [decision, outcome] = receipts.map(({ files }) => files[0]!);
  const first = await custody(
    'verify',
    decision!,
    '--trust',
    trustFile,
    '--expect',
    'kind=decision',
    'call_id=call-1',
  );
  expect(first.code).toBe(0);
  expect(first.out).toMatch(/^valid\ndecision only: /);
  const second = await custody('verify', outcome!, '--trust', trustFile, '--json');
  expect(JSON.parse(second.out)).toMatchObject({
    verdict: 'valid',
    receipt: { kind: 'outcome', executed: true },
  });
});

it('tells invalid from undecidable by the exit code', async () => {
  await get('call-0', '--key', keyFile);
  const file = join(
    out(),
    readdirSync(out()).find((name) => name.endsWith('.receipt.json'))!,
  );
  expect(await custody('verify', file, '--trust', trustFile, '--expect', 'tenant=globex')).toMatchObject({
    code: 3,
    out: expect.stringMatching(/^invalid: SUBJECT_MISMATCH/) as unknown,
  });
  expect(await custody('verify', file)).toMatchObject({
    code: 4,
    out: expect.stringMatching(/^undecidable: NO_PINNED_KEY/) as unknown,
  });
  const alone = join(directory, 'alone.receipt.json');
  writeFileSync(alone, readFileSync(file));
  expect(await custody('verify', alone, '--trust', trustFile)).toMatchObject({ code: 4 });
  writeFileSync(alone, readFileSync(file, 'utf8').replace(/"sig":"..../, '"sig":"AAAA'));
  expect(await custody('verify', alone, '--trust', trustFile)).toMatchObject({
    code: 3,
    out: expect.stringMatching(/^invalid: SIGNATURE/) as unknown,
  });
});

it('a live receipt counts once', async () => {
  await get('call-0', '--key', keyFile);
  const file = join(
    out(),
    readdirSync(out()).find((name) => name.endsWith('.receipt.json'))!,
  );
  const use = (maxAge: string) =>
    custody(
      'verify',
      file,
      '--trust',
      trustFile,
      '--purpose',
      'live',
      '--max-age',
      maxAge,
      '--seen',
      join(directory, 'used'),
    );
  expect((await use('1')).out).toMatch(/^invalid: STALE/);
  const [one, two] = [await use('86400'), await use('86400')];
  expect(one.code).toBe(0);
  expect(two).toMatchObject({ code: 3, out: expect.stringMatching(/^invalid: DUP_RECEIPT_ID/) as unknown });
});

it('of two who use one receipt at once, one is told that it was used', async () => {
  const used = openUsedReceipts(join(directory, 'raced'));
  const answers = await Promise.all(Array.from({ length: 8 }, () => used.use('gateway', 'one')));
  expect(answers.filter((isFirst) => isFirst)).toHaveLength(1);
  expect(await used.use('another gateway', 'one')).toBe(true);
});

it.each<[string, number, () => Promise<{ code: number; err: string }>, string]>([
  [
    'no call of that id',
    2,
    () => get('call-77', '--key', keyFile),
    'no tool call or policy decision has that id',
  ],
  ['no key for our own receipts', 2, () => get('call-0'), 'there is no key for ours'],
  [
    'a call that no checkpoint covers yet',
    6,
    () => get('call-2', '--key', keyFile),
    'within 10 s (--wait waits)',
  ],
  [
    'a trust policy that is none',
    2,
    () => custody('verify', keyFile, '--trust', keyFile),
    'cannot read trust policy',
  ],
  ['a receipt that is not there', 2, () => custody('verify', 'nowhere', '--trust', trustFile), 'ENOENT'],
  [
    'a fact that nobody knows',
    2,
    () => custody('verify', keyFile, '--trust', trustFile, '--expect', 'colour=red'),
    '--expect takes',
  ],
  [
    'a limit on age that is none',
    2,
    () => custody('verify', keyFile, '--trust', trustFile, '--purpose', 'live', '--max-age', 'x'),
    '--max-age x',
  ],
  [
    '--seen where nothing is used',
    2,
    () => custody('verify', keyFile, '--trust', trustFile, '--seen', 'x'),
    '--seen is for',
  ],
])('%s: one sentence', async (_what, code, command, sentence) => {
  const answer = await command();
  expect(answer.code).toBe(code);
  expect(answer.err).toMatch(/^custody: cannot [^\n]+\n$/);
  expect(answer.err).toContain(sentence);
});
