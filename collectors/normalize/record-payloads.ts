import type { CustodyEvent, EventKind } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { compact } from './compact.ts';
import type { NormalizeContext } from './context.ts';
import * as value from './field-values.ts';
import type { RedactionCounts } from './field-values.ts';
import type { Outcome } from './outcome.ts';
import { describePayload, sizeOnly, type DescribedPayload, type PayloadOptions } from './payload.ts';
import { provenanceKey } from './provenance/provenance-key.ts';
import { DEFAULT_PROVENANCE } from './provenance/settings.ts';

type Result = NonNullable<CustodyEvent['result']>;

/** Kinds whose payloads are a model's and no call's. */
const UNCALLED: ReadonlySet<EventKind> = new Set(['model', 'plan', 'context', 'session', 'tool_list']);

/** Whether the payloads of such a record are arguments and result of a call. */
export function isAboutCall(kind: EventKind): boolean {
  return !UNCALLED.has(kind);
}

/** A payload of a record, and its size where only that is told. */
export function describeField(
  payload: AttributeValue | undefined,
  size: AttributeValue | undefined,
  context: NormalizeContext,
  tenant: string,
  role: PayloadOptions['role'],
): DescribedPayload | undefined {
  const stated = value.asCount(size);
  if (payload === undefined) return stated === undefined ? undefined : sizeOnly(stated, 'attribute');
  const settings = context.provenance ?? DEFAULT_PROVENANCE;
  return describePayload(payload, {
    digestKey: context.digestKey,
    role,
    provenance: settings,
    provenanceKey: settings.enabled ? provenanceKey(context.digestKey, tenant) : undefined,
  });
}

/** What came of a call, and what may be kept of its result. */
export function resultOf(
  outcome: Outcome,
  got: DescribedPayload | undefined,
  kind: EventKind,
  phase: CustodyEvent['phase'],
  decision: string | undefined,
  counts: RedactionCounts,
): Result | undefined {
  const isOver = phase === 'complete' || phase === 'result';
  const denied = decision === 'deny' && kind === 'tool_call' && outcome.category === undefined;
  return compact<Result>({
    category: outcome.category ?? (denied ? 'denied' : isOver ? 'ok' : undefined),
    code: value.asName(outcome.code, counts, 64),
    digest: got?.payload.digest,
    findings: got?.payload.findings,
    line_count: got?.output.line_count,
    shapes: got?.payload.shapes,
    size_bytes: got?.payload.size_bytes,
    size_source: got?.payload.size_source,
    summary: got?.payload.summary,
    tokens: got?.output.tokens,
  });
}
