import type { CustodyEvent } from '../../schemas/event.ts';
import type { Attributes, AttributeValue, OtlpLog } from '../otlp/model.ts';
import { assembleEvent } from './assemble.ts';
import type { NormalizeContext } from './context.ts';
import { withoutCutTails } from './cut-tails.ts';
import { asText } from './field-values.ts';
import { readFields } from './mapping.ts';
import { recordId } from './record-id.ts';
import { resourceFacts } from './resource.ts';

const BODY = 'body';

/** Maps one OTLP log record to an event. Throws InputError with a path when it cannot become one; otherwise total. */
export function normalizeLog(log: OtlpLog, context: NormalizeContext): CustodyEvent {
  const resource = resourceFacts(log.resource);
  const name = eventNameOf(log);
  const all = withBody(log, name);
  const attributes =
    context.stringMaxBytes === undefined ? all : withoutCutTails(all, context.stringMaxBytes);
  const read = readFields({ name, scopeName: log.scopeName, service: resource.service, attributes });
  const traceId = hexOrAbsent(log.traceId, 32);
  return assembleEvent(
    read,
    {
      signal: 'log',
      eventId: recordId(
        [
          ...['log', context.tenantPinned ? context.tenant : '', traceId ?? '', log.spanId ?? ''],
          ...[log.timeUnixNano, log.eventName ?? '', String(log.severityNumber)],
        ],
        all,
        context.digestKey,
      ),
      name,
      scopeName: log.scopeName,
      time: /^0*$/.test(log.timeUnixNano) ? log.observedTimeUnixNano : log.timeUnixNano,
      endTime: undefined,
      traceId,
      spanId: hexOrAbsent(log.spanId, 16),
      parentSpanId: undefined,
      spanKind: 0,
      statusCode: 0,
      statusMessage: undefined,
      sampled: log.flags === undefined || traceId === undefined ? undefined : (log.flags & 1) === 1,
      droppedCount: log.droppedAttributesCount,
      resource,
    },
    context,
  );
}

/**
 * The record's event name, else the attribute that carried it before OTLP had the field, else a body that is a name. Agents
 * write `tool_result` in the attribute and `claude_code.tool_result` in the body: the longer of the two is meant.
 */
function eventNameOf(log: OtlpLog): string | undefined {
  if (log.eventName !== undefined && log.eventName !== '') return log.eventName;
  const stated = asText(log.attributes.get('event.name'));
  const body = typeof log.body === 'string' && /^[\w-]+(?:\.[\w-]+)+$/.test(log.body) ? log.body : undefined;
  if (stated === undefined) return body?.slice(0, 256);
  return body?.endsWith(`.${stated}`) === true ? body : stated;
}

/** A structured body's members are read like attributes, which win; any other body is kept as one. */
function withBody(log: OtlpLog, name: string | undefined): Attributes {
  const { body, attributes } = log;
  if (body === null || body === '' || body === name) return attributes;
  const all = new Map<string, AttributeValue>(attributes);
  if (body instanceof Map) {
    for (const [key, value] of body as ReadonlyMap<string, AttributeValue>)
      if (!all.has(key)) all.set(key, value);
  } else if (!all.has(BODY)) all.set(BODY, body);
  return all;
}

function hexOrAbsent(id: string | undefined, digits: number): string | undefined {
  return id?.length === digits && /^[0-9a-f]+$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}
