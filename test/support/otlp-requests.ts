import { encode, traceRequest } from './otlp-proto.ts';

let sequence = 0;

/** A tool-call span as protobufjs takes it; every call gives another span id. */
export function toolSpan(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  const spanId = Buffer.alloc(8, 1);
  spanId.writeUInt32BE(++sequence);
  return {
    traceId: Buffer.alloc(16, 0xaa),
    spanId,
    name: 'tools/call search_docs',
    kind: 3,
    startTimeUnixNano: '1790000000000000000',
    endTimeUnixNano: '1790000000100000000',
    attributes: [
      { key: 'mcp.method.name', value: { stringValue: 'tools/call' } },
      { key: 'gen_ai.tool.name', value: { stringValue: 'search_docs' } },
    ],
    ...overrides,
  };
}

export function spansRequest(...spans: Record<string, unknown>[]): Record<string, unknown> {
  return {
    resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: 'test' }, spans }] }],
  };
}

export function spansBody(...spans: Record<string, unknown>[]): Uint8Array {
  return encode(traceRequest, spansRequest(...spans));
}

/** A span no receiver can take: its trace id has 4 bytes. */
export const badSpan = () => toolSpan({ traceId: Buffer.alloc(4, 1) });
