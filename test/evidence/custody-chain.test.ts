import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  checkCustodyChain,
  custodyLineHash,
  EMPTY_CHAIN,
  signAct,
  type CustodyStatement,
} from '../../evidence/custody-chain.ts';
import { signingKey } from '../../evidence/note/key.ts';
import { twin } from '../attack-catalogue.ts';

const key = signingKey('lab/bundle', 'log', generateKeyPairSync('ed25519').privateKey);
const other = signingKey('lab/bundle', 'log', generateKeyPairSync('ed25519').privateKey);
const DIGEST = 'd'.repeat(64);

const statement = (number: number, changes: Partial<CustodyStatement> = {}): CustodyStatement => ({
  act_id: `00000000-0000-4000-8000-00000000000${number}`,
  action: 'note',
  actor: 'dana',
  role: 'analyst',
  reason: `reason ${number}`,
  case: 'INC-42',
  tool: 'test',
  time_ms: 1000 + number,
  time_source: 'system clock',
  ...changes,
});

function chain(count: number, signer = key, changes: Partial<CustodyStatement> = {}): string[] {
  let head = EMPTY_CHAIN;
  return Array.from({ length: count }, (_, number) => {
    const signed = signAct(statement(number, changes), head, signer);
    head = signed.head;
    return signed.line;
  });
}
const check = (lines: readonly string[], keys = [key]) =>
  checkCustodyChain(lines.map((line) => `${line}\n`).join(''), { keys });
const causes = (lines: readonly string[]) =>
  check(lines).findings.map(({ cause, line }) => `${cause} ${line}`);

test('a chain is whole, and the next act goes on from its end', () => {
  const lines = chain(4);
  const { acts, findings, head } = check(lines);
  expect(findings).toEqual([]);
  expect(acts.map(({ seq, reason }) => [seq, reason])).toEqual(
    [0, 1, 2, 3].map((seq) => [seq, `reason ${seq}`]),
  );
  expect(head).toEqual({ count: 4, previous: custodyLineHash(lines[3] ?? ''), timeMs: 1003 });
});

test('an act that was removed is missed: the first, one in between', () => {
  const lines = chain(4);
  expect(causes(lines.slice(1))).toEqual(['CUSTODY_LINK 1']);
  expect(causes([...lines.slice(0, 2), ...lines.slice(3)])).toEqual(['CUSTODY_LINK 3']);
});

test('acts that changed places are found, also where their numbers are exchanged', () => {
  const [a = '', b = '', c = ''] = chain(3);
  expect(causes([a, c, b])).toContain('CUSTODY_LINK 2');
  const renumbered = c.replace('"seq":2', '"seq":1');
  expect(causes([a, renumbered, b])).toEqual(
    expect.arrayContaining(['CUSTODY_LINK 2', 'CUSTODY_SIGNATURE 2', 'CUSTODY_LINK 3']),
  );
});

test('an act that is dated back is found, signed or not', () => {
  const lines = chain(3);
  const changed = (lines[1] ?? '').replace('"time_ms":1001', '"time_ms":5');
  expect(causes([lines[0] ?? '', changed, lines[2] ?? ''])).toEqual(
    expect.arrayContaining(['CUSTODY_LINK 2', 'CUSTODY_SIGNATURE 2', 'CUSTODY_LINK 3']),
  );
  // Whoever has the key can sign an earlier time, and still not between two acts.
  const first = signAct(statement(0), EMPTY_CHAIN, key);
  const back = signAct(statement(1, { time_ms: 3 }), { ...first.head, timeMs: 0 }, key);
  expect(causes([first.line, back.line])).toEqual(['CUSTODY_LINK 2']);
  expect(signAct(statement(1, { time_ms: 3 }), first.head, key).act.time_ms).toBe(1000);
});

test('a changed word breaks the signature and the link of the next act', () => {
  const lines = chain(3);
  const changed = (lines[1] ?? '').replace('"actor":"dana"', '"actor":"eve"');
  expect(causes([lines[0] ?? '', changed, lines[2] ?? ''])).toEqual([
    'CUSTODY_SIGNATURE 2',
    'CUSTODY_LINK 3',
  ]);
});

test('a key that nobody knows proves nothing, and says nothing against the chain', () => {
  expect(check(chain(2, other)).findings.map(({ cause }) => cause)).toEqual(['CUSTODY_KEY', 'CUSTODY_KEY']);
});

test('acts after sealing go on from those inside, and name the bundle', () => {
  const inside = check(chain(2));
  const later = signAct(
    statement(2, { bundle_digest: DIGEST, action: 'transfer', to: 'CERT' }),
    inside.head,
    key,
  );
  const beside = (line: string, bundleDigest = DIGEST) =>
    checkCustodyChain(`${line}\n`, { keys: [key], after: inside.head, bundleDigest }).findings;
  expect(beside(later.line)).toEqual([]);
  expect(beside(later.line, 'e'.repeat(64))).toMatchObject([
    { cause: 'CUSTODY_LINK', detail: 'it is about another bundle file' },
  ]);
  const unrelated = signAct(statement(2, { bundle_digest: DIGEST }), EMPTY_CHAIN, key);
  expect(beside(unrelated.line)).toMatchObject([{ cause: 'CUSTODY_LINK' }]);
  twin(40, 'bundle');
});

test('what is no act is a finding: other text, another form of the same JSON, a line that does not end', () => {
  const [line = ''] = chain(1);
  expect(causes(['not JSON'])).toEqual(['CUSTODY_LINK 1']);
  expect(causes([line.replace('{', '{ ')])).toEqual(['CUSTODY_LINK 1']);
  expect(checkCustodyChain(line, { keys: [key] }).findings.map(({ cause }) => cause)).toEqual([
    'CUSTODY_LINK',
  ]);
  expect(checkCustodyChain('', { keys: [key] })).toMatchObject({ acts: [], findings: [] });
});

test('many hostile lines cost bounded memory', () => {
  const { findings, acts } = checkCustodyChain('x\n'.repeat(300_000), { keys: [key] });
  expect(findings.length).toBeLessThanOrEqual(100);
  expect(acts).toEqual([]);
});

test('a statement that cannot be an act is refused by its field', () => {
  expect(() => signAct(statement(0, { reason: '' }), EMPTY_CHAIN, key)).toThrow(/^reason: /);
});
