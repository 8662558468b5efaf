import type { Direction, PendingRequest } from '../normalize/mcp.ts';

/** Requests waiting for their answer, by direction of travel and id key. */
export interface PendingRequests {
  add(direction: Direction, key: string, request: PendingRequest): void;
  get(direction: Direction, key: string): PendingRequest | undefined;
  /** The request an answer travelling in `direction` belongs to; it is no longer pending. */
  takeAnswered(direction: Direction, key: string): PendingRequest | undefined;
  all(): Iterable<readonly [Direction, PendingRequest]>;
  /** Given up because too many were waiting. */
  readonly forgottenCount: number;
}

export const opposite = {
  client_to_server: 'server_to_client',
  server_to_client: 'client_to_server',
} as const satisfies Record<Direction, Direction>;

/** Holds at most `max` requests per direction; beyond it the oldest is forgotten. */
export function createPendingRequests(max: number): PendingRequests {
  const requests = {
    client_to_server: new Map<string, PendingRequest>(),
    server_to_client: new Map<string, PendingRequest>(),
  };
  let forgottenCount = 0;
  return {
    add(direction, key, request) {
      const waiting = requests[direction];
      waiting.delete(key); // an id used again: the newer request is the younger entry
      waiting.set(key, request);
      if (waiting.size <= max) return;
      const oldest = waiting.keys().next();
      if (oldest.done !== true) waiting.delete(oldest.value);
      forgottenCount++;
    },
    get: (direction, key) => requests[direction].get(key),
    takeAnswered(direction, key) {
      const waiting = requests[opposite[direction]];
      const found = waiting.get(key);
      waiting.delete(key);
      return found;
    },
    *all() {
      for (const direction of ['client_to_server', 'server_to_client'] as const)
        for (const request of requests[direction].values()) yield [direction, request];
    },
    get forgottenCount() {
      return forgottenCount;
    },
  };
}
