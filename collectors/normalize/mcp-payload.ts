import type { NormalizeContext } from './context.ts';
import { defined } from './mcp-meta.ts';
import { describePayload, sizeOnly, type DescribedPayload, type PayloadOptions } from './payload.ts';
import { provenanceKey } from './provenance/provenance-key.ts';
import { DEFAULT_PROVENANCE } from './provenance/settings.ts';

/** Answers whose content a model reads. */
export function roleOfAnswer(method: string | undefined): PayloadOptions['role'] {
  return method === 'tools/call' || method === 'resources/read' || method === 'prompts/get'
    ? 'result'
    : 'other';
}

/** What may be kept of a value; only the size if the value defeats the description. */
export function describeMember(
  value: unknown,
  wireBytes: number | undefined,
  role: PayloadOptions['role'],
  context: NormalizeContext,
): DescribedPayload | undefined {
  if (value === undefined) return undefined;
  const settings = context.provenance ?? DEFAULT_PROVENANCE;
  try {
    return describePayload(value, {
      ...defined({ wireBytes }),
      sizeSource: 'payload',
      role,
      digestKey: context.digestKey,
      provenance: settings,
      provenanceKey: settings.enabled ? provenanceKey(context.digestKey, context.tenant) : undefined,
    });
  } catch {
    return sizeOnly(wireBytes, 'payload');
  }
}
