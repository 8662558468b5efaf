import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseLogId } from '../../evidence/log-id.ts';
import { WRITTEN_COLUMNS } from '../../sinks/store/tab-separated.ts';
import { verifyStore } from '../../sinks/store/verify-store.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { ledgerOf, source, START_MS, startStore } from '../sinks/store/ledger-harness.ts';
import { memoryState, memoryTopic } from '../support/memory-topic.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { type Ledger, writeLedger } from './ledger-fixture.ts';

let ledger: Ledger;
let acme: string;
beforeAll(async () => {
  ledger = await writeLedger(1);
  acme = ledger.logOf('acme');
});
afterAll(() => ledger.remove());

/** What somebody with the right to insert sends of a stored entry, written in another way. */
const TRICKS: readonly (readonly [string, string, string])[] = [
  ['a NULL where a number belongs', 'koffset', 'NULL'],
  ['a number that wraps around', 'seq', 'toUInt64(toUInt256(18446744073709551616) + seq)::UInt64 + 1'],
  ['a hash that padding made longer', 'prev', `toFixedString(substring(prev, 1, 31), 32)`],
  ['a hash in upper-case hex', 'leaf', `unhex(upper(hex(SHA256(upper(hex(leaf))))))`],
  ['a kind in another case', 'kind', `'EVENT'`],
  ['a time in seconds', 'kts_ms', 'intDiv(kts_ms, 1000)'],
  ['a body that was parsed and written again', 'body', `replaceRegexpAll(body, ':', ': ')`],
  ['a body with a zero byte behind it', 'body', `concat(body, char(0))`],
];

test('the table refuses what is not the entry to the byte, whatever the format makes of it', async () => {
  verifies('P4', 'P10');
  const columns = WRITTEN_COLUMNS.join(', ');
  await ledger.session(async (run) => {
    for (const [what, column, value] of TRICKS) {
      const values = WRITTEN_COLUMNS.map((name) => (name === column ? value : `t.${name}`));
      const insert = `INSERT INTO custody.entries (${columns}) SELECT ${values.join(', ')} FROM custody.entries AS t WHERE t.log = '${acme}' AND t.seq = 5`;
      await expect(run(insert), what).rejects.toThrow(/leaf_ok|body_ok|NULL|null|Nullable/);
    }
    for (const seq of ['18446744073709551616', '"18446744073709551616"', 'null', '5.5', '-1']) {
      const rows = await run(
        `SELECT concat('{"log":"${acme}","tenant":"acme","kpart":0,"seq":${seq.replaceAll('"', '\\"')},"topic":"custody.events","koffset":', toString(koffset), ',"kts_ms":', toString(kts_ms), ',"day":"', toString(day), '","kind":"event","body":"x"}') FROM custody.entries WHERE log = '${acme}' AND seq = 5`,
      );
      await expect(run(`INSERT INTO custody.entries FORMAT JSONEachRow ${rows}`), seq).rejects.toThrow();
    }
    expect(await run('SELECT count(), countIf(leaf != SHA256(leaf)) FROM custody.entries')).toBe('30\t30');
  });
  attack(36, 'writer', 'refused by leaf_ok', 'refused by body_ok');
});

test('the same tricks past the guards of the table are found, each counted and none skipped', async () => {
  verifies('P4', 'P10');
  const updates = TRICKS.filter(([, column]) => column !== 'seq' && column !== 'koffset').map(
    ([, column, value], index) =>
      `ALTER TABLE custody.entries UPDATE ${column} = ${value} WHERE log = '${acme}' AND seq = ${index + 2} SETTINGS mutations_sync = 2`,
  );
  const report = await ledger.attack(updates);
  expect(report).toMatchObject({ verdict: 'invalid', entries: 30 });
  const named = (cause: string) =>
    report.findings.filter((finding) => finding.cause === cause).map(({ seq }) => seq);
  expect(named('LEAF_HASH')).toEqual(['2', '3', '4', '5']);
  expect(named('BODY_HASH')).toEqual(['6', '7']);
  attack(36, 'process', 'LEAF_HASH', 'BODY_HASH');
});

const KEYS = [
  'acme',
  '',
  'a\nb',
  'acme/../globex',
  '../x',
  'ACME',
  '\u0430cme',
  'acme ',
  'acme\u0000',
  'x'.repeat(300),
];
const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
const event = (tenant: string) => sampleEvent(1, tenant).toString();
const BODIES: readonly (readonly [string, Uint8Array])[] = [
  ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ['deep JSON', Buffer.from(deep)],
  ['a byte order mark', Buffer.from(`\ufeff${event('acme')}`)],
  ['another tenant', Buffer.from(event('globex'))],
  ['the tenant twice, the last one foreign', Buffer.from(event('acme').replace(/}$/, ',"tenant":"globex"}'))],
  ['nothing', Buffer.alloc(0)],
  ['a preimage', Buffer.from(`mcp-audit/entry/v1\n${'0'.repeat(64)}\n`)],
];

test('keys and bodies made to inject or confuse become entries of their own, found valid and as they were', async () => {
  verifies('P2', 'P10');
  const harness = await startStore();
  onTestFinished(() => harness.close());
  const topic = memoryTopic('custody.events', START_MS);
  const sent = [
    ...KEYS.map((key) => ({ key, value: Buffer.from(event('acme')) })),
    ...BODIES.map(([, value]) => ({ key: 'acme', value: Buffer.from(value) })),
    {
      key: 'acme',
      value: Buffer.concat([
        Buffer.from(event('acme').slice(0, -1)),
        Buffer.alloc(1_000_000, 0x20),
        Buffer.from('}'),
      ]),
    },
  ];
  await topic.append(sent);
  const state = memoryState();
  const writer = ledgerOf({ store: harness.store(), state, events: topic });
  await writer.start();
  await topic.drained('ledger');
  await writer.stop();
  const rows = await harness.rows(
    "SELECT log, kind, toString(koffset), lower(hex(body)) FROM custody.entries WHERE kind != 'control' ORDER BY koffset",
  );
  expect(rows.map(([, , , body]) => body)).toEqual(
    sent.map(({ value }) => Buffer.from(value).toString('hex')),
  );
  const tenants = rows.map(([log]) => parseLogId(String(log))?.tenant);
  expect(tenants).toEqual(sent.map(({ key }) => (key === 'acme' ? 'acme' : 'unattributed')));
  const kinds = rows.map(([, kind]) => kind);
  expect(kinds.filter((kind) => kind === 'event')).toHaveLength(2);
  expect([kinds[0], kinds.at(-1)]).toEqual(['event', 'event']);
  const report = await verifyStore({
    ...{ raw: harness.store().raw, states: [state], topics: () => Promise.resolve([topic]) },
    ...{ deployment: source.deployment, rebuild: true },
  });
  expect(report).toMatchObject({ verdict: 'valid', findings: [], entries: sent.length + 2 });
  attack(37, 'writer', 'malformed, tenant unattributed');
  for (const number of [36, 37] as const) twin(number, 'process');
});

const FORGED_IDS = [
  'a\nb/x/y-0/0',
  'acme/../x-0/0',
  '\u0430ttacks/acme/x-0/0',
  'attacks/ACME/x-0/0',
  'attacks/acme/x-00/0',
  'attacks/acme/x-0/0/0',
];

test('rows under names that are no log ids are named as such', async () => {
  verifies('P4', 'P10');
  const rest = WRITTEN_COLUMNS.slice(1).join(', ');
  const report = await ledger.attack([
    ...['leaf_ok', 'body_ok'].map((name) => `ALTER TABLE custody.entries DROP CONSTRAINT ${name}`),
    ...FORGED_IDS.map(
      (log) =>
        `INSERT INTO custody.entries (${WRITTEN_COLUMNS.join(', ')}) SELECT '${log.replace('\n', '\\n')}', ${rest} FROM custody.entries WHERE log = '${acme}' AND seq = 0`,
    ),
  ]);
  expect(report.verdict).toBe('invalid');
  for (const log of FORGED_IDS) {
    expect(parseLogId(log)).toBeUndefined();
    expect(report.findings).toContainEqual(
      expect.objectContaining({ cause: 'LOG_ID', log: log.replace('\n', '?') }),
    );
  }
  attack(37, 'process', 'LOG_ID');
});
