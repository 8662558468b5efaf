import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLogs } from '../../../collectors/otlp/decode-logs.ts';
import { decodeTraces } from '../../../collectors/otlp/decode-traces.ts';
import type { Decoded } from '../../../collectors/otlp/decoded.ts';
import { decodeJsonLogs } from '../../../collectors/otlp/json-logs.ts';
import { decodeJsonTraces } from '../../../collectors/otlp/json-traces.ts';
import { decodeLimits } from '../../../collectors/otlp/limits.ts';
import { configSchema } from '../../../schemas/config.ts';
import { asOtlpJson, logRequests, traceRequests } from '../../support/otlp-arbitrary.ts';
import { oracleLogs, oracleSpans } from '../../support/otlp-oracle.ts';
import { encode, logsRequest, traceRequest } from '../../support/otlp-proto.ts';

const limits = decodeLimits(configSchema.parse({}).ingest);

function values<T>(decoded: Iterable<Decoded<T>>): (T | undefined)[] {
  return [...decoded].map((record) => {
    expect(record.fault).toBeUndefined();
    return record.value;
  });
}

describe('the OTLP decoders against protobufjs', () => {
  it('reads every span protobufjs writes as protobufjs reads it', () => {
    fc.assert(
      fc.property(traceRequests, (request) => {
        const bytes = encode(traceRequest, request);
        expect(values(decodeTraces(bytes, limits))).toEqual(oracleSpans(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it('reads every log record protobufjs writes as protobufjs reads it', () => {
    fc.assert(
      fc.property(logRequests, (request) => {
        const bytes = encode(logsRequest, request);
        expect(values(decodeLogs(bytes, limits))).toEqual(oracleLogs(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it('reads the same spans from JSON as from protobuf', () => {
    fc.assert(
      fc.property(traceRequests, (request) => {
        const fromJson = values(decodeJsonTraces(Buffer.from(asOtlpJson(request)), limits));
        expect(fromJson).toEqual(oracleSpans(encode(traceRequest, request)));
      }),
      { numRuns: 200 },
    );
  });

  it('reads the same log records from JSON as from protobuf', () => {
    fc.assert(
      fc.property(logRequests, (request) => {
        const fromJson = values(decodeJsonLogs(Buffer.from(asOtlpJson(request)), limits));
        expect(fromJson).toEqual(oracleLogs(encode(logsRequest, request)));
      }),
      { numRuns: 200 },
    );
  });

  it('shares one resource object among the records of a resource', () => {
    const id = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1) };
    const resource = { attributes: [{ key: 'a', value: { stringValue: 'b' } }] };
    const request = { resourceSpans: [{ resource, scopeSpans: [{ spans: [id, id] }, { spans: [id] }] }] };
    const resources = values(decodeTraces(encode(traceRequest, request), limits)).map(
      (span) => span?.resource,
    );
    expect(new Set(resources).size).toBe(1);
  });

  it('finds a resource and a scope that stand behind their records', () => {
    const span = encode(traceRequest.root.lookupType('Span'), {
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(1),
    });
    const part = (field: number, ...bytes: Uint8Array[]) => {
      const content = Buffer.concat(bytes);
      return Buffer.concat([Buffer.from([(field << 3) | 2, content.length]), content]);
    };
    const scope = part(1, part(1, Buffer.from('late')));
    const attribute = part(1, part(1, Buffer.from('key')), part(2, part(1, Buffer.from('value'))));
    const body = part(1, part(2, part(2, span), scope), part(1, attribute));
    const [read] = values(decodeTraces(body, limits));
    expect(read?.scopeName).toBe('late');
    expect(read?.resource).toEqual(new Map([['key', 'value']]));
  });
});
