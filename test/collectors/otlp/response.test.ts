import { describe, expect, it } from 'vitest';
import { LOG_NAMES, TRACE_NAMES } from '../../../collectors/otlp/decoded.ts';
import { encodeExportResponse, encodeStatus } from '../../../collectors/otlp/response.ts';
import { logsResponse, retryInfo, rpcStatus, traceResponse } from '../../support/otlp-proto.ts';
import type { Parsed } from '../../support/parsed.ts';

describe('OTLP answers as protobufjs reads them', () => {
  it.each([1, 127, 128, 50_000, 2 ** 40])('hold a partial success of %i records', (rejectedCount) => {
    const partial = { rejectedCount, errorMessage: 'spans[0].traceId: must be 16 bytes — ü'.repeat(9) };
    const spans = traceResponse.decode(encodeExportResponse('protobuf', TRACE_NAMES, partial));
    expect(traceResponse.toObject(spans, { longs: Number })).toEqual({
      partialSuccess: { rejectedSpans: rejectedCount, errorMessage: partial.errorMessage },
    });
    const logs = logsResponse.decode(encodeExportResponse('protobuf', LOG_NAMES, partial));
    expect(logsResponse.toObject(logs, { longs: Number })).toEqual({
      partialSuccess: { rejectedLogRecords: rejectedCount, errorMessage: partial.errorMessage },
    });
  });

  it('hold a status with the time to wait', () => {
    const status = rpcStatus.decode(encodeStatus('protobuf', 14, 'cannot append: busy', 2250)) as Parsed;
    expect(status).toMatchObject({ code: 14, message: 'cannot append: busy' });
    expect(retryInfo.toObject(retryInfo.decode(status.details[0].value), { longs: Number })).toEqual({
      retryDelay: { seconds: 2, nanos: 250_000_000 },
    });
  });
});
