import { createHmac } from 'node:crypto';
import { unixNano } from '../runtime/clock.ts';
import { InputError, type CustodyError } from '../runtime/errors.ts';
import { alertSchema, type Alert } from '../schemas/alert.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { MALFORMED_SCHEMA, malformedSchema, type Malformed } from '../schemas/malformed.ts';
import type { ConsumedRecord } from '../streams/topic.ts';

/** The alert in a record, or why it is none. Bytes from the log, written by the detect stage of any version. */
export function readAlert(record: ConsumedRecord): Alert | InputError {
  try {
    const parsed = alertSchema.safeParse(JSON.parse(Buffer.from(record.value).toString('utf8')));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    return new InputError('input_invalid', `cannot read alert: ${issue?.message ?? 'not an alert'}`, {
      path: issue?.path.join('.') ?? '',
    });
  } catch (cause) {
    return new InputError('input_invalid', 'cannot read alert: not JSON', { cause });
  }
}

/** The dead letter about a record a sink can never take. The alert itself is in the ledger: no excerpt is kept. */
export function deadLetter(
  record: ConsumedRecord,
  error: CustodyError,
  alert: Alert | undefined,
  context: {
    readonly stage: string;
    readonly nowMs: number;
    readonly digestKey: Uint8Array | undefined;
  },
): Malformed {
  return malformedSchema.parse({
    schema: MALFORMED_SCHEMA,
    tenant: TENANT_PATTERN.test(record.key) ? record.key : 'default',
    observed_time_unix_nano: unixNano(context.nowMs),
    stage: context.stage,
    code: error.code,
    ...(error.path !== undefined && error.path !== '' && { path: error.path.slice(0, 512) }),
    reason: error.message.slice(0, 1024),
    ...(context.digestKey !== undefined && {
      digest: createHmac('sha256', context.digestKey).update(record.value).digest('hex'),
    }),
    size_bytes: record.value.byteLength,
    ...(alert !== undefined && { alert_id: alert.alert_id }),
  } satisfies Malformed);
}
