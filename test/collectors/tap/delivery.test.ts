import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDelivery, type Delivery, type DeliveryOptions } from '../../../collectors/tap/delivery.ts';
import { eventsEndpoint } from '../../../collectors/tap/post-events.ts';
import { openSpool, type Spool } from '../../../collectors/tap/spool.ts';
import { createConversation } from '../../../collectors/tap/conversation.ts';
import { encodeEvent } from '../../../collectors/normalize/encode.ts';
import { ConfigError } from '../../../runtime/errors.ts';
import { startEventsReceiver, type EventsReceiver } from '../../support/events-receiver.ts';

let root: string;
let receiver: EventsReceiver;
let spool: Spool;
let delivery: Delivery | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'custody-delivery-'));
  receiver = await startEventsReceiver();
  spool = openAt('aaaaaaaaaaaaaaaa');
});
afterEach(async () => {
  await delivery?.drain(0);
  delivery = undefined;
  await receiver.close();
  rmSync(root, { recursive: true, force: true });
});

const openAt = (name: string) =>
  openSpool({
    directory: join(root, name),
    maxBytes: 10_000_000,
    reserveBytes: 1000,
    segmentMaxBytes: 100_000,
  });

function source(instance: string) {
  const conversation = createConversation({
    tap: { instance, serverName: 's' },
    tenant: 'acme',
    digestKey: Buffer.alloc(32),
  });
  return (count: number) => Array.from({ length: count }, () => encodeEvent(conversation.gap('1000000', {})));
}
const events = source('aaaaaaaaaaaaaaaa');

function deliver(options: Partial<DeliveryOptions> & { timeoutMs?: number } = {}) {
  const changes: string[] = [];
  const refused: Uint8Array[] = [];
  const { timeoutMs = 5000, ...rest } = options;
  delivery = startDelivery({
    endpoint: eventsEndpoint(receiver.url, 'secret', timeoutMs),
    spool,
    claim: () => undefined,
    onRefused: (ndjson) => refused.push(ndjson),
    onChange: (state) => changes.push(state),
    random: () => 0,
    ...rest,
  });
  return { delivery, changes, refused };
}

const sequences = () => receiver.events.map((event) => Number(event.source.sequence));
const firstSequence = () =>
  Number(JSON.parse(Buffer.from(spool.next(1)!.bytes).toString().split('\n', 1)[0]!).source.sequence);
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

test('what is spooled goes out in order with the token, and leaves the spool', async () => {
  spool.append(events(2000));
  const first = firstSequence();
  const { delivery } = deliver();
  await receiver.until((taken) => taken.length === 2000);
  await delivery.drain(5000);
  expect(sequences()).toEqual(upTo(2000, first));
  expect(receiver.requests.length).toBeGreaterThan(1);
  expect(new Set(receiver.requests.map((request) => request.authorization))).toEqual(
    new Set(['Bearer secret']),
  );
  expect(spool.next(1)).toBeUndefined();
});

test.each([500, 503, 429, 401, 403, 404])(
  'HTTP %i keeps the records and tries again until they are taken',
  async (status) => {
    receiver.answer = () => (receiver.requests.length < 3 ? status : 200);
    spool.append(events(3));
    const { changes, refused } = deliver();
    await receiver.until((taken) => taken.length === 3);
    await delivery!.drain(5000);
    expect(receiver.requests.map((request) => request.status)).toEqual([status, status, status, 200]);
    expect(changes).toEqual(['failing', 'delivering']);
    expect(refused).toEqual([]);
  },
);

test('a collector that never answers costs one timeout, not the records', async () => {
  receiver.answer = () => (receiver.requests.length === 0 ? 'hang' : 200);
  spool.append(events(3));
  deliver({ timeoutMs: 100 });
  await receiver.until((taken) => taken.length === 3);
  expect(receiver.requests.map((request) => request.status)).toEqual(['hang', 200]);
});

test('one record the collector refuses is singled out, and its neighbours arrive in order', async () => {
  spool.append(events(64));
  const bad = firstSequence() + 41;
  receiver.answer = (batch) => (batch.some((event) => event.source.sequence === String(bad)) ? 400 : 200);
  const { refused } = deliver();
  await receiver.until((taken) => taken.length === 63);
  await delivery!.drain(5000);
  expect(sequences()).toEqual(upTo(64, bad - 41).filter((sequence) => sequence !== bad));
  expect(refused.map((line) => JSON.parse(Buffer.from(line).toString()).source.sequence)).toEqual([
    String(bad),
  ]);
});

test('a spool left by a dead tap is sent after one success, and removed', async () => {
  const left = openAt('bbbbbbbbbbbbbbbb');
  left.append(source('bbbbbbbbbbbbbbbb')(10));
  const orphans: Spool[] = [left];
  spool.append(events(5));
  deliver({ claim: () => orphans.pop() });
  await receiver.until((taken) => taken.length === 15);
  await delivery!.drain(5000);
  const ofOrphan = receiver.events.filter((event) => event.session?.key === 'bbbbbbbbbbbbbbbb');
  expect(ofOrphan.map((event) => event.source.sequence)).toEqual(upTo(10).map(String));
  expect(new Set(receiver.events.map((event) => event.event_id)).size).toBe(15);
  expect(existsSync(left.directory)).toBe(false);
});

test('what dead taps left stays where it is while the collector takes nothing', async () => {
  receiver.answer = () => (receiver.requests.length < 3 ? 503 : 200);
  const claimedAfter: number[] = [];
  let claimed: () => void;
  const firstClaim = new Promise<void>((resolve) => (claimed = resolve));
  const { delivery } = deliver({
    claim: () => {
      claimedAfter.push(receiver.requests.length);
      claimed();
      return undefined;
    },
  });
  spool.append(events(1));
  delivery.wake();
  await firstClaim;
  expect(claimedAfter[0]).toBe(4);
});

test('the drain ends at its deadline when the collector hangs, and what is left stays spooled', async () => {
  receiver.answer = () => 'hang';
  spool.append(events(3));
  const { delivery } = deliver({ timeoutMs: 60_000 });
  await receiver.untilRequests(1);
  await delivery.drain(50);
  expect(spool.next(1_000_000)).toBeDefined();
});

test('the drain does not wait for a collector that is not there', async () => {
  await receiver.close();
  receiver = { ...receiver, close: () => Promise.resolve() };
  spool.append(events(3));
  const { delivery } = deliver();
  await delivery.drain(60_000);
  expect(spool.next(1_000_000)).toBeDefined();
});

test.each([
  ['ftp://127.0.0.1', undefined, /http/],
  ['nonsense', undefined, /no URL/],
  ['http://user:pass@127.0.0.1', undefined, /credentials/],
  ['http://collector.example', 'token', /https/],
])('the collector address %s is refused', (address, token, reason) => {
  expect(() => eventsEndpoint(address, token, 1)).toThrow(ConfigError);
  expect(() => eventsEndpoint(address, token, 1)).toThrow(reason);
});

test.each([
  'http://127.0.0.1:4318',
  'http://[::1]:4318/',
  'http://localhost:1/base/',
  'https://collector.example',
])('the collector address %s is accepted with a token', (address) => {
  expect(eventsEndpoint(address, 'token', 1).url.pathname).toMatch(/^(\/base)?\/v1\/events$/);
});
