import { setTimeout as pause } from 'node:timers/promises';
import { createRandom, type Random } from './random.ts';

/** One audit event as a client sends it; its `id` makes a resend the same record. */
export type AuditEvent = Readonly<Record<string, unknown>> & { readonly 'idem.key': string };

/** What one tenant's sender knows of its events, by their mark, in the order they were first sent. */
export interface SentEvent {
  readonly mark: string;
  /** How often it was on the wire. */
  attempts: number;
  acknowledged: boolean;
  /** A grant that must raise exactly one alert, and the actor it names. */
  readonly rogue: string | undefined;
}

export type Sent = ReadonlyMap<string, readonly SentEvent[]>;

export interface LoadOptions {
  readonly seed: number;
  readonly tenants: readonly string[];
  /** Where a collector listens now; `undefined` while none does. */
  readonly url: () => string | undefined;
  /** Event time of the first event. */
  readonly startMs: number;
  readonly batchMaxCount?: number;
  readonly pauseMaxMs?: number;
}

export interface Load {
  readonly sent: Sent;
  /** Sends until `stop`; each tenant one request after the other. */
  start(): void;
  /** Resolves when everything that was begun is acknowledged; rejects with the last answers after the deadline. */
  stop(deadlineMs: number): Promise<void>;
  /** Sends the last requests of each tenant once more, as a client that lost its memory of the answers. */
  resend(requests: number): Promise<void>;
  acknowledgedCount(): number;
}

const REQUEST_TIMEOUT_MS = 8_000;
const REMEMBERED_REQUESTS = 200;
const TOOLS = ['read_file', 'list_dir', 'search', 'query_db', 'send_mail', 'http_get', 'write_file'];

interface Sender {
  readonly events: SentEvent[];
  readonly requests: { readonly body: string; readonly events: SentEvent[] }[];
  readonly next: () => { readonly event: AuditEvent; readonly rogue: string | undefined };
  readonly random: Random;
  lastAnswer: string;
}

/** The load of a chaos run: what is sent is a function of the seed, what arrives of the faults. */
export function createLoad(options: LoadOptions): Load {
  const senders = new Map(
    options.tenants.map((tenant, index) => {
      const random = createRandom(options.seed * 1_000 + index);
      const next = eventsOf(tenant, createRandom(options.seed * 2_000 + index), options.startMs);
      const sender: Sender = { events: [], requests: [], next, random, lastAnswer: 'nothing was sent' };
      return [tenant, sender] as const;
    }),
  );
  const sent = new Map([...senders].map(([tenant, { events }]) => [tenant, events]));
  let running = false;
  let gaveUp = new AbortController();
  let work: Promise<void> = Promise.resolve();

  /** One attempt; true when the collector said that it has the events. */
  async function attempt(sender: Sender, body: string, events: readonly SentEvent[]): Promise<boolean> {
    const url = options.url();
    if (url === undefined) {
      sender.lastAnswer = 'no collector';
      return false;
    }
    for (const event of events) event.attempts += 1;
    try {
      const response = await fetch(`${url}/v1/audit`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MS), gaveUp.signal]),
      });
      const answer = await response.text();
      sender.lastAnswer = `${response.status} ${answer.slice(0, 200)}`;
      if (response.status === 200) {
        const { accepted } = JSON.parse(answer) as { accepted: number };
        if (accepted !== events.length) throw new Refused(`${accepted} of ${events.length} were accepted`);
        return true;
      }
      if (response.status < 500 && response.status !== 429) throw new Refused(sender.lastAnswer);
    } catch (error) {
      if (error instanceof Refused) throw error;
      // Whether the events were taken is unknown, and either is right.
      sender.lastAnswer = String((error as Error).cause ?? error);
    }
    return false;
  }

  async function deliver(sender: Sender, body: string, events: readonly SentEvent[]): Promise<void> {
    while (!gaveUp.signal.aborted) {
      if (await attempt(sender, body, events)) {
        for (const event of events) event.acknowledged = true;
        return;
      }
      await pause(sender.random.int(50, 300));
    }
  }

  async function send(sender: Sender): Promise<void> {
    while (running && !gaveUp.signal.aborted) {
      const drawn = Array.from({ length: sender.random.int(1, options.batchMaxCount ?? 12) }, sender.next);
      const body = drawn.map(({ event }) => JSON.stringify(event)).join('\n');
      const events = drawn.map(({ event, rogue }): SentEvent => ({
        mark: event['idem.key'],
        attempts: 0,
        acknowledged: false,
        rogue,
      }));
      sender.events.push(...events);
      sender.requests.push({ body, events });
      if (sender.requests.length > REMEMBERED_REQUESTS) sender.requests.shift();
      await deliver(sender, body, events);
      await pause(sender.random.int(10, options.pauseMaxMs ?? 250));
    }
  }

  return {
    sent,
    start() {
      running = true;
      gaveUp = new AbortController();
      work = Promise.all([...senders.values()].map(send)).then(() => undefined);
      work.catch(() => undefined);
    },
    async stop(deadlineMs) {
      running = false;
      let late = false as boolean;
      const timer = setTimeout(() => {
        late = true;
        gaveUp.abort();
      }, deadlineMs);
      await work.finally(() => clearTimeout(timer));
      if (!late) return;
      const answers = [...senders].map(([tenant, { lastAnswer }]) => `${tenant}: ${lastAnswer}`);
      throw new Error(`not everything was accepted within ${deadlineMs} ms: ${answers.join('; ')}`);
    },
    async resend(requests) {
      const again = [...senders.values()].map(async (sender) => {
        for (const { body, events } of sender.requests.slice(-requests)) await deliver(sender, body, events);
      });
      await Promise.all(again);
    },
    acknowledgedCount: () =>
      [...sent.values()].reduce(
        (sum, events) => sum + events.filter((event) => event.acknowledged).length,
        0,
      ),
  };
}

/** The collector says that the events themselves are wrong: the generator is. */
class Refused extends Error {}

/**
 * Sessions of 8 to 40 calls. About every tenth call carries a wildcard grant of an actor nobody has seen, which raises
 * one alert by itself; some sessions repeat a call, which raises alerts only by what the detectors remember of it.
 */
function eventsOf(tenant: string, random: Random, startMs: number): Sender['next'] {
  let count = 0;
  let session = 0;
  let left = 0;
  let repeating = false;
  return () => {
    if (left === 0) {
      session += 1;
      left = random.int(8, 40);
      repeating = random.next() < 0.2;
    }
    left -= 1;
    const mark = `${tenant}/${count}`;
    const rogue = random.next() < 0.1 ? `rogue-${tenant}-${count}` : undefined;
    const tool = repeating ? 'query_db' : random.pick(TOOLS);
    const argument = repeating ? 'the same' : String(random.int(1, 1_000_000));
    count += 1;
    const event: AuditEvent = {
      id: mark,
      'idem.key': mark,
      'tenant.id': tenant,
      time: new Date(startMs + count * 20).toISOString(),
      'session.id': `${tenant}-session-${session}`,
      'tool.name': tool,
      'tool.args': { query: argument },
      'actor.id': rogue ?? `agent-${random.int(1, 3)}`,
      'actor.type': 'agent',
      'policy.decision': 'allow',
      ...(rogue === undefined ? {} : { 'scope.grants': ['write:*'], ttl_sec: 600 }),
    };
    return { event, rogue };
  };
}
