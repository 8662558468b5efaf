import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { AttributeValue, OtlpSpan } from '../otlp/model.ts';
import { assembleEvent } from './assemble.ts';
import type { NormalizeContext } from './context.ts';
import { withoutCutTails } from './cut-tails.ts';
import { readFields } from './mapping.ts';
import { recordId } from './record-id.ts';
import { resourceFacts } from './resource.ts';

const TRACE_ID = /^[0-9a-f]{32}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;
/** `W3C trace flags` are the lowest byte of the OTLP field. */
const SAMPLED = 1;

/** Maps one OTLP span to an event. Throws InputError with a path when it cannot become one; otherwise total. */
export function normalizeSpan(span: OtlpSpan, context: NormalizeContext): CustodyEvent {
  if (!TRACE_ID.test(span.traceId)) throw invalid('traceId', '32 hex digits');
  if (!SPAN_ID.test(span.spanId)) throw invalid('spanId', '16 hex digits');
  const resource = resourceFacts(span.resource);
  const name = span.name === '' ? undefined : span.name;
  const read = readFields({
    name,
    scopeName: span.scopeName,
    service: resource.service,
    attributes:
      context.stringMaxBytes === undefined
        ? span.attributes
        : withoutCutTails(span.attributes, context.stringMaxBytes),
  });
  const exception = span.events.find((event) => event.name === 'exception')?.attributes.get('exception.type');
  return assembleEvent(
    read,
    {
      signal: 'span',
      eventId: recordId(
        [
          ...['span', context.tenantPinned ? context.tenant : '', span.traceId, span.spanId],
          ...[span.startTimeUnixNano, span.endTimeUnixNano, span.name, String(span.statusCode)],
          span.statusMessage ?? '',
        ],
        span.attributes,
        context.digestKey,
      ),
      name,
      scopeName: span.scopeName,
      time: span.startTimeUnixNano,
      endTime: span.endTimeUnixNano,
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: parentOf(span.parentSpanId),
      spanKind: span.kind,
      statusCode: span.statusCode === 0 && exception !== undefined ? 2 : span.statusCode,
      statusMessage: span.statusMessage,
      sampled: span.flags === undefined ? undefined : (span.flags & SAMPLED) === SAMPLED,
      droppedCount: span.droppedAttributesCount,
      resource,
      ...(span.events.length === 0 ? {} : { prompts: promptsOf(span) }),
    },
    context,
  );
}

/** Prompts in events of a span, as instrumentations put them there. */
function promptsOf(span: OtlpSpan): AttributeValue[] {
  return span.events.flatMap(({ name, attributes }) => {
    const names = PROMPT_EVENTS.get(name);
    const found = names?.map((key) => attributes.get(key)).find((prompt) => prompt !== undefined);
    return found === undefined ? [] : [found];
  });
}

const PROMPT_EVENTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['gen_ai.content.prompt', ['gen_ai.prompt']],
  ['gen_ai.user.message', ['content', 'gen_ai.event.content']],
  ['gen_ai.system.message', ['content', 'gen_ai.event.content']],
  ['gen_ai.client.inference.operation.details', ['gen_ai.input.messages']],
]);

function parentOf(id: string | undefined): string | undefined {
  return id !== undefined && SPAN_ID.test(id) && !/^0+$/.test(id) ? id : undefined;
}

function invalid(path: string, expected: string): InputError {
  return new InputError('input_invalid', `cannot take the span: its ${path} is not ${expected}`, { path });
}
