import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { normalizeLog } from '../../collectors/normalize/log.ts';
import { normalizeSpan } from '../../collectors/normalize/span.ts';
import { decodeJsonLogs } from '../../collectors/otlp/json-logs.ts';
import { decodeJsonTraces } from '../../collectors/otlp/json-traces.ts';
import type { DecodeLimits } from '../../collectors/otlp/limits.ts';
import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';

/** Events of one OTLP JSON export request, as the receivers make them; a record that cannot become one is told to `skip`. */
export function* otlpEvents(
  bytes: Uint8Array,
  signal: 'otlp_logs' | 'otlp_traces',
  context: NormalizeContext,
  limits: DecodeLimits,
  skip: (reason: string) => void,
): Generator<CustodyEvent> {
  if (signal === 'otlp_logs') {
    for (const { value, fault } of decodeJsonLogs(bytes, limits))
      if (value === undefined) skip(fault?.reason ?? 'cannot be read');
      else yield* made(() => normalizeLog(value, context), skip);
    return;
  }
  for (const { value, fault } of decodeJsonTraces(bytes, limits))
    if (value === undefined) skip(fault?.reason ?? 'cannot be read');
    else yield* made(() => normalizeSpan(value, context), skip);
}

function* made(normalize: () => CustodyEvent, skip: (reason: string) => void): Generator<CustodyEvent> {
  let event: CustodyEvent;
  try {
    event = normalize();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    skip(error.message);
    return;
  }
  yield event;
}
