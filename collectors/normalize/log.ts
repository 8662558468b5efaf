import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { OtlpLog } from '../otlp/model.ts';
import type { NormalizeContext } from './context.ts';

/** Maps one OTLP log to an event. Throws InputError with a path when it cannot become one; otherwise total. */
export function normalizeLog(log: OtlpLog, context: NormalizeContext): CustodyEvent {
  void context;
  throw new InputError(
    'input_invalid',
    `cannot normalise log of ${log.scopeName ?? 'no scope'}: not built yet`,
  );
}
