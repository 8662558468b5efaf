import { eventKind, eventPhase, type EventKind } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import type { NameRule, Phase } from './dialect.ts';
import { otelSemconv } from './dialects/otel-semconv.ts';
import { asText } from './field-values.ts';
import { F } from './fields.ts';
import type { ReadFields } from './mapping.ts';
import { itemTypeOf } from './stated-facts.ts';

/** What people decide comes into a log by their own commands: a sender cannot state it. */
const KINDS: ReadonlySet<string> = new Set(
  eventKind.options.filter((kind) => kind !== 'incident' && kind !== 'policy_document'),
);
const PHASES: ReadonlySet<string> = new Set(eventPhase.options);

/** What a record is about: its own word, then its name, its method, its operation, then the facts it carries. */
export function kindOf(read: ReadFields, rule: NameRule | undefined, isClientSpan: boolean): EventKind {
  const { values, dialect } = read;
  const stated = asText(values[F.kind]);
  if (stated !== undefined && KINDS.has(stated)) return stated as EventKind;
  if (rule?.kind !== undefined) return rule.kind;
  const method = asText(values[F.method]);
  if (method === 'tools/call') return 'tool_call';
  if (method === 'tools/list') return 'tool_list';
  if (method === 'initialize' || method === 'notifications/initialized') return 'session';
  return (
    byTable(otelSemconv.kinds, values[F.operation]) ??
    byTable(dialect.kinds, values[F.spanKind]) ??
    (method !== undefined && isMcpMethod(method) ? 'mcp_message' : undefined) ??
    byFacts(values, isClientSpan)
  );
}

function byTable(
  kinds: Readonly<Record<string, EventKind>> | undefined,
  value: AttributeValue | undefined,
): EventKind | undefined {
  if (kinds === undefined || typeof value !== 'string') return undefined;
  const word = value.toLowerCase();
  return Object.hasOwn(kinds, word) ? kinds[word] : undefined;
}

/** HTTP verbs and remote procedures of other systems arrive in the same attributes. */
function isMcpMethod(method: string): boolean {
  return /^(?:[a-z][A-Za-z]*\/[A-Za-z/_]+|ping)$/.test(method);
}

function byFacts(values: ReadFields['values'], isClientSpan: boolean): EventKind {
  if (values[F.toolName] !== undefined) return 'tool_call';
  if (values[F.changeItem] !== undefined && itemTypeOf(asText(values[F.changeItemType])) !== undefined)
    return 'registry';
  if (values[F.decision] !== undefined || values[F.verdict] !== undefined) return 'policy';
  if (isClientSpan && (values[F.httpMethod] !== undefined || values[F.url] !== undefined)) return 'api_call';
  return 'context';
}

/** Whether request, outcome or both are told, for kinds that have the difference. */
export function phaseOf(
  read: ReadFields,
  kind: EventKind,
  rule: NameRule | undefined,
  isSpan: boolean,
): Phase | undefined {
  const stated = asText(read.values[F.phase]);
  if (stated !== undefined && PHASES.has(stated)) return stated as Phase;
  if (rule?.phase !== undefined) return rule.phase;
  if (kind !== 'tool_call' && kind !== 'api_call' && kind !== 'mcp_message' && kind !== 'tool_list')
    return undefined;
  if (isSpan) return 'complete';
  const { values } = read;
  const told = [
    F.result,
    F.errorType,
    F.success,
    F.status,
    F.httpStatus,
    F.isError,
    F.resultBytes,
    F.rpcStatus,
  ];
  return told.some((field) => values[field] !== undefined) ? 'complete' : 'request';
}
