import { InputError } from '../runtime/errors.ts';
import { isControlTenant } from '../schemas/control-tenant.ts';
import type { CustodyEvent } from '../schemas/event.ts';

/**
 * Refuses what only the pipeline itself may put into the log: a sender could otherwise bring a registry of its own into
 * force, or dismiss alerts about itself.
 * @throws InputError
 */
export function refuseOwn(event: CustodyEvent): CustodyEvent {
  if (isControlTenant(event.tenant)) throw refused('its tenant is one of the pipeline itself', 'tenant.id');
  if (event.kind === 'policy_document' || event.kind === 'incident')
    throw refused(`events of kind ${event.kind} come from the pipeline itself`, 'kind');
  if (event.policy_document !== undefined) throw refused('it holds a policy document', 'policy_document');
  if (event.incident !== undefined) throw refused('it holds a change of an incident', 'incident');
  if (event.source.collector === 'pipeline')
    throw refused('only the pipeline itself is this collector', 'source.collector');
  return event;
}

const refused = (reason: string, path: string) =>
  new InputError('input_invalid', `cannot accept the event: ${reason}`, { path });
