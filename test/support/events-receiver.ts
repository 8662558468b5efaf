import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';

/** What the receiver answers to the next request: a status, or nothing at all. */
export type Answer = number | 'hang';

export interface EventsReceiver {
  readonly url: string;
  /** Accepted events in order of arrival. */
  readonly events: CustodyEvent[];
  /** Requests seen, with what was answered. */
  readonly requests: {
    readonly status: Answer;
    readonly events: readonly CustodyEvent[];
    readonly authorization: string | undefined;
  }[];
  answer: (events: readonly CustodyEvent[]) => Answer;
  /** Resolves when the predicate holds for what was accepted. */
  until(predicate: (events: readonly CustodyEvent[]) => boolean): Promise<void>;
  untilRequests(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A strict `/v1/events`: every line must be a valid canonical event, or the test's own request fails loudly. */
export async function startEventsReceiver(port = 0): Promise<EventsReceiver> {
  const watchers = new Set<() => void>();
  const server = createServer((request, response) => void handle(request, response));
  const receiver: EventsReceiver = {
    url: '',
    events: [],
    requests: [],
    answer: () => 200,
    until: (predicate) => when(() => predicate(receiver.events)),
    untilRequests: (count) => when(() => receiver.requests.length >= count),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  function when(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!isTrue()) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
    });
  }

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (
      request.method !== 'POST' ||
      request.url !== '/v1/events' ||
      request.headers['content-type'] !== 'application/x-ndjson'
    ) {
      response.writeHead(404).end();
      return;
    }
    const lines = Buffer.concat(chunks).toString('utf8').split('\n');
    if (lines.pop() !== '') throw new Error('the body does not end with a newline');
    const events = lines.map((line) => eventSchema.parse(JSON.parse(line)));
    const status = receiver.answer(events);
    receiver.requests.push({ status, events, authorization: request.headers.authorization });
    if (status === 200) receiver.events.push(...events);
    if (status !== 'hang') response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    for (const watcher of [...watchers]) watcher();
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return Object.assign(receiver, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
