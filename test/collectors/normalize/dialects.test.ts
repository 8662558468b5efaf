import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { normalizeAudit } from '../../../collectors/normalize/audit.ts';
import type { NormalizeContext } from '../../../collectors/normalize/context.ts';
import { normalizeLog } from '../../../collectors/normalize/log.ts';
import { normalizeSpan } from '../../../collectors/normalize/span.ts';
import { decodeJsonLogs } from '../../../collectors/otlp/json-logs.ts';
import { decodeJsonTraces } from '../../../collectors/otlp/json-traces.ts';
import { decodeLimits } from '../../../collectors/otlp/limits.ts';
import { configSchema } from '../../../schemas/config.ts';
import { eventSchema, type CustodyEvent } from '../../../schemas/event.ts';
import { decodeTokens } from '../../../schemas/token-set.ts';
import { canonicalJson } from '../../../evidence/canonical-json.ts';

/** One record as its emitter sends it (OTLP JSON, or an audit event) and the event it must become. */
interface DialectCase {
  readonly title: string;
  readonly input: {
    readonly resourceSpans?: unknown;
    readonly resourceLogs?: unknown;
    readonly audit?: unknown;
  };
  /** Without ids, times and digests, which other tests cover; of words, how many. */
  readonly expected: unknown;
}

const folder = join(import.meta.dirname, '../../fixtures/dialects');
const limits = decodeLimits(configSchema.parse({}).ingest);
const context: NormalizeContext = {
  collector: 'otlp_http',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1763700001000000000',
  digestKey: Buffer.alloc(32, 7),
};

function normalize(input: DialectCase['input']): CustodyEvent {
  if (input.audit !== undefined) return normalizeAudit(input.audit, { ...context, collector: 'audit_http' });
  const body = Buffer.from(JSON.stringify(input));
  if (input.resourceLogs !== undefined) {
    const [log] = [...decodeJsonLogs(body, limits)];
    return normalizeLog(log!.value!, context);
  }
  const [span] = [...decodeJsonTraces(body, limits)];
  return normalizeSpan(span!.value!, context);
}

function withoutIdsAndTimes(event: CustodyEvent): unknown {
  const plain = structuredClone(event) as unknown as Record<string, unknown>;
  for (const key of [
    'schema',
    'event_id',
    'observed_time_unix_nano',
    'time_unix_nano',
    'end_time_unix_nano',
    'trace',
    'destination_origins',
  ])
    Reflect.deleteProperty(plain, key);
  for (const payload of [plain['arguments'], plain['result']])
    if (typeof payload === 'object' && payload !== null) Reflect.deleteProperty(payload, 'digest');
  return JSON.parse(JSON.stringify(plain), (key, value: unknown) =>
    key === 'hash'
      ? undefined
      : key === 'tokens' && typeof value === 'string'
        ? decodeTokens(value).length
        : value,
  );
}

const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

describe.each(files)('%s', (file) => {
  const cases = JSON.parse(readFileSync(join(folder, file), 'utf8')) as DialectCase[];
  it.each(cases)('$title', ({ input, expected }) => {
    const event = normalize(input);
    expect(eventSchema.parse(event)).toEqual(event);
    expect(withoutIdsAndTimes(event)).toEqual(expected);
  });
  it.each(cases)('is built in key order, for fast encoding: $title', ({ input }) => {
    const event = normalize(input);
    expect(JSON.stringify(event)).toBe(canonicalJson(event));
  });
});
