import { describe, expect, it } from 'vitest';
import type { NormalizeContext } from '../../../collectors/normalize/context.ts';
import { withoutCutTail } from '../../../collectors/normalize/cut-tails.ts';
import { normalizeLog } from '../../../collectors/normalize/log.ts';
import { normalizeSpan } from '../../../collectors/normalize/span.ts';
import { decodeJsonLogs } from '../../../collectors/otlp/json-logs.ts';
import { decodeJsonTraces } from '../../../collectors/otlp/json-traces.ts';
import { decodeLimits } from '../../../collectors/otlp/limits.ts';
import { configSchema } from '../../../schemas/config.ts';
import { CUT } from './secrets.ts';

const ingest = configSchema.parse({ ingest: { string_max_bytes: 1024 } }).ingest;
const limits = decodeLimits(ingest);
const context: NormalizeContext = {
  collector: 'otlp_http',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1763700001000000000',
  digestKey: Buffer.alloc(32, 7),
  stringMaxBytes: ingest.string_max_bytes,
};

/** A token the decoder's cut at 1,024 bytes leaves too little of for any pattern to know. */
const straddling = `${'word '.repeat(202)}gh${CUT}p_${'a1B2'.repeat(9)}`;
const half = `gh${CUT}p_a1B2`;

const value = { stringValue: straddling };
const span = (key: string, item: unknown) => {
  const request = {
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: 'a'.repeat(32),
                spanId: 'b'.repeat(16),
                name: 'x',
                attributes: [{ key, value: item }],
              },
            ],
          },
        ],
      },
    ],
  };
  const [decoded] = [...decodeJsonTraces(Buffer.from(JSON.stringify(request)), limits)];
  return normalizeSpan(decoded!.value!, context);
};

describe('a string the decoder cut', () => {
  it('is cut through a secret by this test, or it proves nothing', () => {
    expect(Buffer.from(straddling).subarray(0, 1024).toString()).toContain(half);
  });
  it.each([
    ['an attribute', span('note', value)],
    [
      'a nested attribute',
      span('note', { kvlistValue: { values: [{ key: 'k', value: { arrayValue: { values: [value] } } }] } }),
    ],
    ['arguments', span('gen_ai.tool.call.arguments', value)],
    [
      'arguments as a map',
      span('gen_ai.tool.call.arguments', { kvlistValue: { values: [{ key: 'k', value }] } }),
    ],
    ['a tool name', span('gen_ai.tool.name', value)],
  ])('leaves no half of a secret in %s', (_name, event) => {
    expect(JSON.stringify(event)).not.toContain(half);
  });
  it('leaves no half of a secret in a log body', () => {
    const request = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: value }] }] }] };
    const [decoded] = [...decodeJsonLogs(Buffer.from(JSON.stringify(request)), limits)];
    const event = normalizeLog(decoded!.value!, context);
    expect(JSON.stringify(event)).not.toContain(half);
    expect(event.attributes?.['body']).toContain('word');
  });
  it('says that its size is not the whole one', () => {
    expect(span('gen_ai.tool.call.arguments', value).arguments?.size_source).toBe('truncated_payload');
    const map = { kvlistValue: { values: [{ key: 'k', value }] } };
    expect(span('gen_ai.tool.call.arguments', map).arguments?.size_source).toBe('truncated_payload');
    expect(span('gen_ai.tool.call.arguments', { stringValue: 'short' }).arguments?.size_source).toBe(
      'payload',
    );
  });
  it('keeps its last word while it is shorter than the decoder cuts', () => {
    const short = straddling.slice(0, 1000);
    expect(withoutCutTail(short, 1024)).toBe(short);
  });
});
