import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeAudit } from '../../collectors/audit/take.ts';
import { normalizeAudit } from '../../collectors/normalize/audit.ts';
import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { encodeEvent } from '../../collectors/normalize/encode.ts';
import { createEventSealing, type EventSealing } from '../../collectors/seal-event.ts';
import { canonicalJson } from '../../evidence/canonical-json.ts';
import { openField } from '../../evidence/sealed-field.ts';
import { xaesKey } from '../../evidence/xaes.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import { TransientError } from '../../runtime/errors.ts';
import { configSchema } from '../../schemas/config.ts';
import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import { SEALABLE_PATHS, type SealablePath } from '../../schemas/sealed-field.ts';
import { readKey } from '../../subjects/key-store.ts';
import { pseudonymOf } from '../../subjects/pseudonym.ts';
import { agentTraffic } from '../determinism/agent-traffic.ts';
import { verifies } from '../requirements.ts';
import { DIGEST_KEY, keyDirectory, type KeyDirectory } from '../subjects/key-directory.ts';
import { testIngest, type TestIngest } from '../support/ingest-deps.ts';

const context: NormalizeContext = {
  collector: 'audit_http',
  tenant: 'acme',
  tenantPinned: false,
  observedTimeUnixNano: '1790000000000000000',
  digestKey: DIGEST_KEY,
};
const name = (identity: string, tenant = 'acme') => pseudonymOf(DIGEST_KEY, tenant, identity);

let here: KeyDirectory;
beforeEach(async () => (here = await keyDirectory()));
afterEach(() => here.close());

function sealingOf(fields?: readonly SealablePath[], subjectFrom?: string): EventSealing {
  const config = configSchema.parse({
    subjects: {
      ...(fields === undefined ? {} : { fields }),
      ...(subjectFrom === undefined ? {} : { subject_from: subjectFrom }),
    },
  }).subjects;
  return createEventSealing({ config, keys: here.use(), digestKey: DIGEST_KEY });
}

const record = {
  id: 'r1',
  kind: 'tool_call',
  'tool.name': 'send_mail',
  'actor.id': 'desk-agent',
  'user.id': 'ann@example.com',
  'client.address': '192.0.2.7',
  'policy.decision': 'allow',
  'policy.approver': 'bob@example.com',
  'policy.reason': 'Ann asked for it',
  arguments: { to: 'the doctor', text: 'my knee hurts' },
  result: { text: 'sent to the doctor' },
  note: 'left handed',
};
const eventOf = (more: object = {}): CustodyEvent => normalizeAudit({ ...record, ...more }, context);

async function sealedOf(sealing: EventSealing, event: CustodyEvent): Promise<CustodyEvent> {
  const sealed = sealing.seal(event);
  await Promise.all(sealed.keysDurable);
  return sealed.event;
}

function open(event: CustodyEvent, path: SealablePath): unknown {
  const field = event.sealed?.[path];
  if (field === undefined) throw new Error(`${path} is not sealed`);
  const key = readKey(here.store, event.tenant, field.subject);
  if (key?.keyId !== field.key_id) throw new Error('no key');
  const opened = openField(xaesKey(key.key), field, { tenant: event.tenant, eventId: event.event_id, path });
  return typeof opened === 'string' ? opened : opened.value;
}

describe('sealing an event', () => {
  it('leaves pseudonyms where somebody was named, nothing where something was told, and the rest as it was', async () => {
    verifies('P7');
    const event = eventOf();
    const sealed = await sealedOf(sealingOf([...SEALABLE_PATHS]), event);
    expect(eventSchema.safeParse(sealed).success).toBe(true);
    expect(sealed.actor).toEqual({ id: name('desk-agent'), user_id: name('ann@example.com') });
    expect(sealed.client?.address).toBe(name('192.0.2.7'));
    expect(sealed.policy).toEqual({ decision: 'allow', approver: name('bob@example.com') });
    expect(sealed.attributes).toBeUndefined();
    expect(sealed.arguments).toEqual({ ...event.arguments, summary: undefined });
    expect(sealed.event_id).toBe(event.event_id);
    const text = Buffer.from(encodeEvent(sealed)).toString();
    for (const secret of ['ann@', 'bob@', 'knee', 'doctor', 'handed', 'Ann asked', '192.0.2.7', 'desk-agent'])
      expect(text).not.toContain(secret);
    for (const path of Object.keys(sealed.sealed ?? {}) as SealablePath[]) {
      const [group, member] = path.split('.') as [keyof CustodyEvent, string?];
      const whole = event[group] as Record<string, unknown>;
      expect(open(sealed, path)).toEqual(member === undefined ? whole : whole[member]);
    }
    expect(Object.keys(sealed.sealed ?? {})).toHaveLength(8);
  });

  it('keeps the bytes in canonical form without a second sort', async () => {
    const sealed = await sealedOf(sealingOf([...SEALABLE_PATHS]), eventOf());
    expect(Buffer.from(encodeEvent(sealed)).toString()).toBe(JSON.stringify(sealed));
    expect(JSON.stringify(sealed)).toBe(canonicalJson(sealed));
  });

  it('gives what somebody is named by to that person, and what is told to the subject of the event', async () => {
    const sealed = await sealedOf(sealingOf(), eventOf());
    expect(sealed.sealed?.['policy.approver']?.subject).toBe(name('bob@example.com'));
    for (const path of ['arguments.summary', 'result.summary', 'policy.reason'] as const)
      expect(sealed.sealed?.[path]?.subject).toBe(name('ann@example.com'));
    const byAgent = await sealedOf(sealingOf(['arguments.summary'], 'actor.id'), eventOf());
    expect(byAgent.sealed?.['arguments.summary']?.subject).toBe(name('desk-agent'));
    const nobody = eventOf({ 'user.id': undefined, 'actor.id': undefined });
    const told = await sealedOf(sealingOf(['arguments.summary']), nobody);
    expect(told.sealed?.['arguments.summary']?.subject).toBe(name(''));
    expect(told.actor).toBeUndefined();
  });

  it('gives other bytes every time, under one key, one pseudonym and one event id', async () => {
    const sealing = sealingOf();
    const [one, two] = [await sealedOf(sealing, eventOf()), await sealedOf(sealing, eventOf())];
    const [first, second] = [one.sealed?.['actor.user_id'], two.sealed?.['actor.user_id']];
    expect(first?.value).not.toBe(second?.value);
    expect(first?.commitment).not.toBe(second?.commitment);
    expect(first?.key_id).toBe(second?.key_id);
    expect([one.event_id, one.actor]).toEqual([two.event_id, two.actor]);
  });

  it('changes nothing in an event that has none of the members', () => {
    const event = normalizeAudit({ id: 'x', kind: 'auth', 'actor.id': 'desk-agent' }, context);
    const sealed = sealingOf().seal(event);
    expect(encodeEvent(sealed.event)).toEqual(encodeEvent(event));
    expect(sealed.keysDurable).toEqual([]);
  });

  it.each(['subj-0123456789abcdef0123456789abcdef', '../../kek', 'a\nb', '\u202e\u0000', 'x'.repeat(256)])(
    'takes any identity for what it is (%#)',
    async (identity) => {
      const event = eventOf({ 'user.id': identity });
      const sealed = await sealedOf(sealingOf(), event);
      expect(sealed.actor?.user_id).toMatch(/^subj-[0-9a-f]{32}$/);
      expect(sealed.actor?.user_id).not.toBe(identity);
      expect(open(sealed, 'actor.user_id')).toBe(event.actor?.user_id);
    },
  );
});

describe('detectors', () => {
  it.each<[string, readonly SealablePath[]]>([
    ['with the usual members sealed', configSchema.parse({}).subjects.fields],
    ['with every name sealed', [...SEALABLE_PATHS]],
  ])('raise the same alerts for the same reasons %s', async (_, fields) => {
    verifies('P5');
    const sealing = sealingOf(fields);
    const config = configSchema.parse({}).detect;
    const [plain, named] = [createEngine(config), createEngine(config)];
    const identities = new Map<string, string>();
    const alerts: [string, string][] = [];
    let timeMs = 1_790_000_000_000;
    for (const [index, sent] of agentTraffic(timeMs).entries()) {
      timeMs = sent['sent_ms'] as number;
      const tenant = sent['tenant'] as string;
      const user = `user-${index % 3}@${tenant}.example`;
      const event = normalizeAudit({ ...sent, 'user.id': user }, context);
      for (const identity of [event.actor?.id, user])
        if (identity !== undefined) identities.set(identity, name(identity, tenant));
      const { event: sealed, keysDurable } = sealing.seal(event);
      await Promise.all(keysDurable);
      const before = plain.process({ event, appendTimeMs: timeMs });
      const after = named.process({ event: sealed, appendTimeMs: timeMs });
      expect(after).toHaveLength(before.length);
      before.forEach((alert, at) => alerts.push([JSON.stringify(alert), JSON.stringify(after[at])]));
    }
    expect(alerts.length).toBeGreaterThan(20);
    const withNames = (text: string) =>
      [...identities].reduce(
        (done, [identity, subject]) =>
          fields.includes('actor.id') || identity.includes('@') ? done.replaceAll(identity, subject) : done,
        text,
      );
    // Ids of alerts and incidents are made of what they are about: with another name for the actor they are others.
    const comparable = (text: string) => {
      const alert = JSON.parse(text) as Record<string, unknown>;
      const made = { alert_id: '', incident_id: '', related_incidents: [] };
      return fields.includes('actor.id') ? { ...alert, ...made } : alert;
    };
    for (const [before, after] of alerts) expect(comparable(after)).toEqual(comparable(withNames(before)));
  });
});

describe('a collector that seals', () => {
  let ingest: TestIngest;
  beforeEach(async () => (ingest = await testIngest()));
  afterEach(() => ingest.close());
  const send = (sealing: EventSealing, lines: readonly object[]) =>
    takeAudit(
      { ...ingest.deps, sealing },
      context,
      'audit',
      'ndjson',
      Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')),
    );

  it('answers once key and record are durable, and the log has no plain value', async () => {
    verifies('P1', 'P7');
    const lines = Array.from({ length: 300 }, (_, index) => ({
      ...record,
      id: String(index),
      'user.id': `user-${index % 150}@example.com`,
    }));
    expect(await send(sealingOf(), lines)).toMatchObject({ accepted: 300, malformed: 0 });
    const stored = await ingest.stored(ingest.deps.events);
    expect(JSON.stringify(stored)).not.toMatch(/@example\.com|knee/);
    for (const event of stored as CustodyEvent[])
      expect(open(event, 'actor.user_id')).toMatch(/^user-\d+@example\.com$/);
    expect(new Set((stored as CustodyEvent[]).map(({ actor }) => actor?.user_id)).size).toBe(150);
  });

  it('stores nothing and lets the sender try again while no key can be written', async () => {
    const sealing = sealingOf();
    const { rmSync } = await import('node:fs');
    rmSync(`${here.directory}/drafts`, { recursive: true });
    await expect(send(sealing, [record])).rejects.toThrow(TransientError);
    expect(await ingest.stored(ingest.deps.events)).toEqual([]);
    here.open();
    expect(await send(sealing, [record])).toMatchObject({ accepted: 1 });
  });

  it('takes no sealed field from a sender', async () => {
    const sealed = await sealedOf(sealingOf(), eventOf());
    const sent = { ...sealed, source: { ...sealed.source, collector: 'mcp_stdio_tap' } };
    const body = Buffer.from(JSON.stringify([sent]));
    const answer = await takeAudit(ingest.deps, context, 'canonical', 'json', body);
    expect(answer).toMatchObject({ accepted: 0, malformed: 1, errors: [{ path: '[0].sealed' }] });
  });
});
