import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { isObject } from '../../schemas/json-object.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { assembleEvent } from './assemble.ts';
import type { NormalizeContext } from './context.ts';
import { asText, asUnixNano } from './field-values.ts';
import { F } from './fields.ts';
import { readFields } from './mapping.ts';
import { plainValue } from './plain-value.ts';
import { recordId } from './record-id.ts';
import { resourceFacts } from './resource.ts';

const FLATTEN_DEPTH_MAX = 4;
const MEMBERS_MAX = 1024;
/** Members that are payloads, or what a setting was and is: kept whole, whatever is in them. */
const PAYLOADS = new Set(
  [
    'arguments args input params tool_input result output tool_output response tool.arguments tool.args tool.result',
    'change.before change.after change.old_value change.new_value old_value new_value',
  ].flatMap((members) => members.split(' ')),
);
/** Under `result` these are facts about it, not the payload. */
const RESULT_FACTS = new Set(['category', 'status', 'code', 'size_bytes']);
const NO_RESOURCE: ReadonlyMap<string, AttributeValue> = new Map();

/** Members by which a sender tells one record from another that says the same. */
const OWN_ID = ['id', 'event_id', 'event.id', 'uuid', 'record_id'];

/**
 * Maps one JSON audit event to an event: nested members are read by their dotted path. Throws InputError with a path
 * when it cannot become one; otherwise total.
 *
 * A record that carries an id of its own, a call id or a span id keeps its event id when it is sent again. Without one,
 * two equal records are two events: `receipt` (unique to this receipt) tells them apart, for a loop looks like that.
 */
export function normalizeAudit(value: unknown, context: NormalizeContext, receipt = ''): CustodyEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError('input_invalid', 'cannot take the audit event: it is not a JSON object', {
      path: '',
    });
  const members = new Map<string, AttributeValue>();
  const dropped = flatten(plainValue(value) as Record<string, unknown>, '', 0, members);
  if (members.size === 0)
    throw new InputError('input_invalid', 'cannot take the audit event: it has no members', { path: '' });
  const read = readFields({
    name: undefined,
    scopeName: undefined,
    service: undefined,
    attributes: members,
    dialectId: 'audit-json',
  });
  const time = read.values[F.time];
  if (time !== undefined && asUnixNano(time) === undefined && time !== 0 && time !== '0')
    throw new InputError(
      'input_invalid',
      'cannot take the audit event: its time is neither ISO 8601 nor a Unix time',
      {
        path: 'time',
      },
    );
  const name = asText(read.values[F.name]);
  const identified =
    read.values[F.callId] !== undefined ||
    read.values[F.spanId] !== undefined ||
    OWN_ID.some((member) => members.has(member));
  return assembleEvent(
    read,
    {
      signal: 'audit',
      eventId: recordId(
        ['audit', context.tenantPinned ? context.tenant : '', identified ? '' : receipt],
        members,
        context.digestKey,
      ),
      name,
      scopeName: undefined,
      time,
      endTime: read.values[F.endTime],
      traceId: hexId(read.values[F.traceId], 32),
      spanId: hexId(read.values[F.spanId], 16),
      parentSpanId: hexId(read.values[F.parentSpanId], 16),
      spanKind: 0,
      statusCode: 0,
      statusMessage: undefined,
      sampled: undefined,
      droppedCount: dropped,
      resource: resourceFacts(NO_RESOURCE),
    },
    context,
  );
}

/** Adds members by dotted path and tells how many found no room. */
function flatten(
  object: Readonly<Record<string, unknown>>,
  prefix: string,
  depth: number,
  into: Map<string, AttributeValue>,
): number {
  let dropped = 0;
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    const path = prefix + key;
    if (member === null) continue;
    if (into.size >= MEMBERS_MAX) dropped++;
    else if (isObject(member) && depth < FLATTEN_DEPTH_MAX && !isPayload(path, member))
      dropped += flatten(member, `${path}.`, depth + 1, into);
    else into.set(path, attributeValue(member));
  }
  return dropped;
}

function isPayload(path: string, member: Readonly<Record<string, unknown>>): boolean {
  if (path === 'result') return !Object.keys(member).every((key) => RESULT_FACTS.has(key));
  return PAYLOADS.has(path);
}

/** Plain JSON in the shape attributes have: objects become Maps. */
function attributeValue(value: unknown): AttributeValue {
  if (Array.isArray(value)) return value.map(attributeValue);
  if (isObject(value))
    return new Map(Object.entries(value).map(([key, item]) => [key, attributeValue(item)]));
  return value as string | number | boolean | null;
}

function hexId(value: AttributeValue | undefined, digits: number): string | undefined {
  const id = asText(value)?.toLowerCase();
  return id?.length === digits && /^[0-9a-f]+$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}
