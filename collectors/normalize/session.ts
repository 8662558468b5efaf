import type { CustodyEvent } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { asIdentity, asText, type RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';

type Session = NonNullable<CustodyEvent['session']>;

/**
 * The session-key ladder: the first rung that is present names the agent's task. The trace stands in for its root span, which
 * arrives last or never. Without even a trace there is no key; the detect stage then groups by actor and idle time.
 */
export function sessionOf(
  from: (field: number) => AttributeValue | undefined,
  traceId: string | undefined,
  counts: RedactionCounts,
  transition: 'start' | 'end' | undefined,
): Session | undefined {
  const found = rung(from, traceId, counts);
  if (found === undefined) return undefined;
  const stated = asText(from(F.transition));
  const change = stated === 'start' || stated === 'end' ? stated : transition;
  return {
    confidence: found[2],
    key: found[0],
    source: found[1],
    ...(change === undefined ? {} : { transition: change }),
  };
}

function rung(
  from: (field: number) => AttributeValue | undefined,
  traceId: string | undefined,
  counts: RedactionCounts,
): readonly [string, Session['source'], Session['confidence']] | undefined {
  const conversation = asIdentity(from(F.conversationId), counts);
  if (conversation !== undefined) return [conversation, 'conversation_id', 'high'];
  const agentSession = asIdentity(from(F.agentSessionId), counts);
  if (agentSession !== undefined) return [agentSession, 'agent_session', 'high'];
  const mcpSession = asIdentity(from(F.mcpSessionId), counts);
  if (mcpSession !== undefined) return [mcpSession, 'mcp_session', 'medium'];
  const turn = asIdentity(from(F.turnId), counts);
  if (turn !== undefined) return [turn, 'turn_id', 'medium'];
  return traceId === undefined ? undefined : [traceId, 'trace_root', 'low'];
}
