import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { NormalizeContext } from './context.ts';

/** Maps one JSON audit event to an event. Throws InputError with a path when it cannot become one; otherwise total. */
export function normalizeAudit(value: unknown, context: NormalizeContext): CustodyEvent {
  void value;
  void context;
  throw new InputError('input_invalid', 'cannot normalise audit event: not built yet');
}
