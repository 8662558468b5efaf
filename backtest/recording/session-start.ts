import { eventId } from '../../collectors/normalize/event-id.ts';
import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { intentTokens } from '../../collectors/normalize/provenance/describe-values.ts';
import { provenanceKey } from '../../collectors/normalize/provenance/provenance-key.ts';
import { DEFAULT_PROVENANCE } from '../../collectors/normalize/provenance/settings.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import type { JsonObject } from '../../schemas/json-object.ts';
import { textOf } from './recorded-event.ts';

/** The start of a session, with what the agent was asked as fingerprints. */
export function sessionStart(
  record: JsonObject,
  timeUnixNano: string,
  context: NormalizeContext,
): CustodyEvent {
  const intent = textOf(record['intent']);
  const { resultTokensMax, scanMaxChars } = DEFAULT_PROVENANCE;
  const tokens =
    intent === undefined
      ? undefined
      : intentTokens(intent, provenanceKey(context.digestKey, context.tenant), resultTokensMax, scanMaxChars);
  return {
    ...sessionEvent('start', record, timeUnixNano, context),
    ...(tokens === undefined ? {} : { intent: { tokens } }),
  };
}

/** Start or end of a session as the recording names it. */
export function sessionEvent(
  transition: 'start' | 'end',
  record: JsonObject,
  timeUnixNano: string,
  context: NormalizeContext,
): CustodyEvent {
  const session = textOf(record['session'])?.slice(0, 256);
  const agent = textOf(record['agent'])?.slice(0, 256);
  return {
    schema: EVENT_SCHEMA,
    event_id: eventId(['recording', context.tenant, session ?? '', transition, timeUnixNano]),
    kind: 'session',
    tenant: context.tenant,
    time_unix_nano: timeUnixNano,
    observed_time_unix_nano: timeUnixNano,
    source: {
      collector: context.collector,
      signal: 'mcp',
      dialect: 'recording',
      vantage: 'tap',
      name: `session.${transition}`,
    },
    ...(agent === undefined ? {} : { actor: { id: agent, type: 'agent' as const } }),
    ...(session === undefined
      ? {}
      : { session: { key: session, source: 'agent_session', confidence: 'high', transition } }),
  };
}
