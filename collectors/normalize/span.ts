import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { OtlpSpan } from '../otlp/model.ts';
import type { NormalizeContext } from './context.ts';

/** Maps one OTLP span to an event. Throws InputError with a path when it cannot become one; otherwise total. */
export function normalizeSpan(span: OtlpSpan, context: NormalizeContext): CustodyEvent {
  void context;
  throw new InputError(
    'input_invalid',
    `cannot normalise span of ${span.scopeName ?? 'no scope'}: not built yet`,
  );
}
