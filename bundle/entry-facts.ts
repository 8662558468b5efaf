import type { CaseEntry } from './case-data.ts';

/** What a reader of a case asks of an entry, in one flat shape. All texts come from senders: hostile. */
export interface EntryFacts {
  /** Event kind, `alert`, or the entry's own kind (`malformed`, `control`) where it is neither. */
  readonly what: string;
  readonly eventId?: string | undefined;
  /** When it happened according to the sender. */
  readonly eventUnixNano?: string | undefined;
  readonly actor?: string | undefined;
  readonly user?: string | undefined;
  readonly session?: string | undefined;
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly action?: string | undefined;
  readonly decision?: string | undefined;
  readonly rule?: string | undefined;
  readonly result?: string | undefined;
  /** Size of the arguments: what went to the tool. */
  readonly bytesIn?: number | undefined;
  /** Size of the result: what came back. */
  readonly bytesOut?: number | undefined;
  readonly destinations: readonly string[];
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly alertId?: string | undefined;
  readonly severity?: string | undefined;
  /** Events an alert rests on. */
  readonly evidence: readonly string[];
}

/** Reads an entry's event or alert; an entry of neither has its kind and nothing else. */
export function entryFacts({ kind, event, alert }: CaseEntry): EntryFacts {
  if (alert !== undefined)
    return {
      what: 'alert',
      eventUnixNano: alert.time_unix_nano,
      actor: alert.actor_id,
      user: alert.user_id,
      session: alert.session_key,
      server: alert.server_name,
      tool: alert.tool_name,
      decision: alert.policy_decision,
      rule: `${alert.detector.id}@${alert.detector.version}`,
      destinations: alert.destinations ?? [],
      traceId: alert.trace_id,
      alertId: alert.alert_id,
      severity: alert.severity,
      evidence: alert.evidence,
    };
  if (event === undefined) return { what: kind, destinations: [], evidence: [] };
  return {
    what: event.kind,
    eventId: event.event_id,
    eventUnixNano: event.time_unix_nano,
    actor: event.actor?.id,
    user: event.actor?.user_id,
    session: event.session?.key,
    server: event.server?.name,
    tool: event.tool?.name,
    action: event.tool?.action,
    decision: event.policy?.decision,
    rule: event.policy?.rule,
    result: event.result?.category,
    bytesIn: event.arguments?.size_bytes,
    bytesOut: event.result?.size_bytes,
    destinations: event.destinations ?? [],
    traceId: event.trace?.trace_id,
    spanId: event.trace?.span_id,
    evidence: [],
  };
}

/** Latest time an ISO 8601 text with a four-digit year can name. */
const ISO_MAX_MS = 253_402_300_799_999;

/** UTC with milliseconds; the number itself where no such date exists, since a sender may claim any. */
export function isoTime(ms: number): string {
  return ms >= 0 && ms <= ISO_MAX_MS ? new Date(ms).toISOString() : `${ms} ms`;
}

/** Milliseconds of a time in nanoseconds, which does not fit a number. */
export const msOfNano = (unixNano: string): number => Number(BigInt(unixNano) / 1_000_000n);
