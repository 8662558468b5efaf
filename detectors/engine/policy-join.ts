import type { CustodyEvent } from '../../schemas/event.ts';
import type { CallRecord } from './call-merge.ts';
import type { Decision } from '../detector.ts';

/** A policy evaluation that came as an event of its own, waiting for the call it was about. */
export interface PolicyNote {
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly parentSpanId: string | undefined;
  readonly tool: string | undefined;
  readonly callId: string | undefined;
  readonly decision: string | undefined;
  readonly ticket: string | undefined;
  readonly timeMs: number;
  /** A note that names neither tool, call nor span answers for one call only: this one. */
  usedBy: number | undefined;
}

const maxNotes = 16;
const looseWindowMs = 300_000;

export function keepPolicy(notes: PolicyNote[], event: CustodyEvent, timeMs: number): void {
  notes.push({
    traceId: event.trace?.trace_id,
    spanId: event.trace?.span_id,
    parentSpanId: event.trace?.parent_span_id,
    tool: event.tool?.name,
    callId: event.tool?.call_id,
    decision: event.policy?.decision,
    ticket: event.policy?.ticket,
    timeMs,
    usedBy: undefined,
  });
  if (notes.length > maxNotes) notes.shift();
}

/** Decision and ticket for a call: what its own observations say, else the newest policy event about it. */
export function policyForCall(
  notes: readonly PolicyNote[],
  call: CallRecord,
  timeMs: number,
): { decision: Decision; ticket: string | undefined } {
  const own = decisionOf(call.decision);
  if (own !== 'none' && call.ticket !== undefined) return { decision: own, ticket: call.ticket };
  const note =
    notes.length === 0 ? undefined : notes.findLast((candidate) => matches(candidate, call, timeMs));
  if (note !== undefined && isLoose(note)) note.usedBy = call.index;
  const decision = own === 'none' ? decisionOf(note?.decision) : own;
  return {
    decision: decision === 'none' && call.category === 'denied' ? 'deny' : decision,
    ticket: call.ticket ?? note?.ticket,
  };
}

/** Decision and ticket for an event about no call, such as a grant: its own, else the newest of its trace. */
export function policyForEvent(
  notes: readonly PolicyNote[],
  event: CustodyEvent,
  timeMs: number,
): { decision: Decision; ticket: string | undefined } {
  const own = decisionOf(event.policy?.decision);
  const traceId = event.trace?.trace_id;
  const note = notes.findLast(
    (candidate) =>
      candidate.traceId === traceId &&
      (traceId !== undefined || timeMs - candidate.timeMs <= looseWindowMs) &&
      candidate.usedBy === undefined,
  );
  return {
    decision: own === 'none' ? decisionOf(note?.decision) : own,
    ticket: event.policy?.ticket ?? note?.ticket,
  };
}

function matches(note: PolicyNote, call: CallRecord, timeMs: number): boolean {
  if (note.traceId !== undefined && call.traceId !== undefined && note.traceId !== call.traceId) return false;
  if (note.callId !== undefined && call.callId !== undefined) return note.callId === call.callId;
  if (note.tool !== undefined && note.tool !== call.tool) return false;
  if (note.parentSpanId !== undefined && call.spans.includes(note.parentSpanId)) return true;
  if (note.tool !== undefined) return note.traceId !== undefined || timeMs - note.timeMs <= looseWindowMs;
  return (note.usedBy === undefined || note.usedBy === call.index) && timeMs - note.timeMs <= looseWindowMs;
}

function isLoose(note: PolicyNote): boolean {
  return note.tool === undefined && note.callId === undefined;
}

function decisionOf(decision: string | undefined): Decision {
  switch (decision) {
    case 'allow':
    case 'deny':
      return decision;
    case undefined:
    case 'unknown':
      return 'none';
    default:
      return 'other';
  }
}
