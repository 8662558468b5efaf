import type { CustodyEvent } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { compact } from './compact.ts';
import * as value from './field-values.ts';
import type { RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';
import type { ReadFields } from './mapping.ts';

/** What a record says about the MCP message behind it. */
export function mcpOf(values: ReadFields['values'], counts: RedactionCounts): CustodyEvent['mcp'] {
  const transport = value.asText(values[F.transport])?.toLowerCase();
  const direction = value.asText(values[F.direction]);
  return compact<NonNullable<CustodyEvent['mcp']>>({
    continuation: value.asFlag(values[F.continuation]) ?? continuationIn(values[F.arguments]),
    direction: direction === 'client_to_server' || direction === 'server_to_client' ? direction : undefined,
    method: value.asName(values[F.method], counts),
    protocol_version: value.asName(values[F.protocolVersion], counts, 64),
    request_id: value.asName(values[F.requestId], counts),
    session_id: value.asIdentity(values[F.mcpSessionId], counts),
    transport: transport === undefined ? undefined : (TRANSPORTS.get(transport) ?? 'unknown'),
  });
}

const TRANSPORTS = new Map<string, NonNullable<NonNullable<CustodyEvent['mcp']>['transport']>>([
  ...(['pipe', 'stdio'] as const).map((name) => [name, 'stdio'] as const),
  ...(['tcp', 'quic', 'http', 'https', 'streamable-http', 'streamable_http', 'streamablehttp'] as const).map(
    (name) => [name, 'http'] as const,
  ),
  ['sse', 'sse'],
]);

/** A multi-round-trip retry (MCP 2026-07-28), where whole request parameters were recorded as arguments. */
function continuationIn(given: AttributeValue | undefined): true | undefined {
  if (given instanceof Map)
    return given.has('requestState') || given.has('inputResponses') ? true : undefined;
  if (typeof given !== 'string') return undefined;
  return given.includes('"requestState"') || given.includes('"inputResponses"') ? true : undefined;
}
