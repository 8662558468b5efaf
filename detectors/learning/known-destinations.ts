import type { CallFacts, Decision } from '../detector.ts';
import { addItem, type KnownItems } from './known-items.ts';

/** Destinations a tenant's benign sessions have used. */
export interface KnownDestinations {
  readonly items: KnownItems;
  /** Closed sessions with calls that taught. */
  sessions: number;
}

/** What one session would teach. */
export interface SessionContacts {
  calls: number;
  readonly contacted: number[];
}

const maxItems = 4096;
const maxContacted = 128;

export const newKnownDestinations = (): KnownDestinations => ({ items: new Map(), sessions: 0 });
export const newSessionContacts = (): SessionContacts => ({ calls: 0, contacted: [] });

/** No benign session before this one has gone there; nothing of this session counts. */
export function isNewDestination({ items }: KnownDestinations, destinationHash: number): boolean {
  return !items.has(destinationHash);
}

/** Notes where the call went; a refused call went nowhere. */
export function noteContacts(session: SessionContacts, call: CallFacts, decision: Decision): void {
  if (decision === 'deny') return;
  session.calls = Math.max(session.calls, call.index + 1);
  for (const { hash } of call.contacts)
    if (session.contacted.length < maxContacted && !session.contacted.includes(hash))
      session.contacted.push(hash);
}

/** Takes what the session showed into what is known. */
export function learnContacts(known: KnownDestinations, session: SessionContacts): void {
  if (session.calls === 0) return;
  known.sessions += 1;
  for (const hash of session.contacted) addItem(known.items, hash, maxItems);
}
