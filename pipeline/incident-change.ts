import { z } from 'zod';
import { encodeEvent } from '../collectors/normalize/encode.ts';
import { eventId } from '../collectors/normalize/event-id.ts';
import { redactText } from '../collectors/normalize/redact.ts';
import { unixNano } from '../runtime/clock.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';
import { incidentChange, incidentNote } from '../schemas/incident.ts';
import type { TopicRecord } from '../streams/topic.ts';

const { status, assignee, disposition } = incidentChange.shape;
const hasNoControl = (text: string | undefined) => text === undefined || !/\p{Cc}/u.test(text);

/** What a person asks for; who the person is comes from the access layer. An empty assignee: nobody. */
export const changeRequest = z
  .strictObject({
    status,
    assignee: assignee.refine(hasNoControl, 'must be one line without control characters'),
    disposition,
    note: incidentNote.optional(),
  })
  .refine((asked) => Object.values(asked).some((value) => value !== undefined), {
    message: 'at least one of status, assignee, disposition and note must be there',
  });

export type ChangeRequest = z.infer<typeof changeRequest>;

export interface ChangeContext {
  readonly tenant: string;
  readonly incidentId: string;
  readonly changedBy: string;
  readonly nowMs: number;
}

/** The event of a change. What is secret or personal in a note is redacted, as in everything before it is durable. */
export function incidentChangeEvent(asked: ChangeRequest, context: ChangeContext): CustodyEvent {
  const { tenant, incidentId, changedBy, nowMs } = context;
  const time = unixNano(nowMs);
  const redacted = asked.note === undefined ? undefined : redactText(asked.note);
  const incident = incidentChange.parse({
    ...asked,
    ...(redacted === undefined ? {} : { note: redacted.text.slice(0, 2048) }),
    incident_id: incidentId,
    changed_by: changedBy,
  });
  return {
    event_id: eventId(['incident', tenant, time, JSON.stringify(incident)]),
    incident,
    kind: 'incident',
    observed_time_unix_nano: time,
    ...(redacted === undefined || Object.keys(redacted.counts).length === 0
      ? {}
      : { pii: { redactions: { ...redacted.counts } } }),
    schema: EVENT_SCHEMA,
    source: {
      collector: 'pipeline',
      dialect: 'pipeline',
      name: 'incident',
      signal: 'audit',
      vantage: 'unknown',
    },
    tenant,
    time_unix_nano: time,
  };
}

/** The record that brings a change into the log, where detectors and the ledger see it. */
export function incidentChangeRecord(event: CustodyEvent): TopicRecord {
  return { key: event.tenant, value: encodeEvent(event) };
}
