import type { CustodyEvent } from '../schemas/event.ts';
import { dataClassOf } from './content/data-classes.ts';
import type { DetectEvent, Detector, Finding } from './detector.ts';
import { references } from './references.ts';
import { ticketInForce } from './ticket-in-force.ts';
import { shown } from './wording.ts';

type Change = NonNullable<CustodyEvent['change']>;
type ItemType = Change['item_type'];

/** Widening what agents can reach counts more than the rest. */
const severities: Readonly<Record<ItemType, Finding['severity']>> = {
  endpoint: 'medium',
  zone: 'medium',
  limit: 'medium',
  policy: 'medium',
  server: 'medium',
  tool: 'low',
  client: 'low',
  agent: 'low',
  config: 'low',
};

/** Configuration of servers, zones, limits or endpoints changed and nobody is named who allowed it, or it holds a secret. */
export function configDrift(): Detector<undefined, undefined> {
  return {
    id: 'config-drift',
    version: 1,
    kinds: ['registry'],
    newTenantState: () => undefined,
    newSessionState: () => undefined,

    step(detected, _state, raise) {
      const { change } = detected.event;
      if (detected.decision === 'deny') return;
      const secrets = secretsIn(detected.event);
      if (secrets.length > 0) raise(describeSecret(detected.event, change, secrets));
      if (change === undefined) return;
      const doubt = doubtOf(detected);
      if (doubt !== undefined) raise(describeChange(detected.event, change, doubt));
    },
  };
}

/** Why the change does not count as approved; `undefined` when it does. */
function doubtOf(detected: DetectEvent): string | undefined {
  const { event, ticket } = detected;
  if (ticketInForce(detected) !== undefined) return undefined;
  const approver = event.policy?.approver;
  const { id, user_id: userId } = event.actor ?? {};
  if (approver !== undefined && approver !== id && approver !== userId) return undefined;
  if (approver !== undefined) return `approved only by ${shown(approver)}, who made it`;
  return ticket === undefined
    ? 'no approver and no change ticket'
    : `ticket ${shown(ticket)} is not valid for it, and no approver is named`;
}

function secretsIn({ pii, arguments: given, result }: CustodyEvent): string[] {
  const types = [pii?.redactions, given?.findings, result?.findings].flatMap((found) =>
    Object.keys(found ?? {}),
  );
  return [...new Set(types)].filter((type) => dataClassOf(type) === 'secret').sort();
}

function describeSecret(
  event: CustodyEvent,
  change: Change | undefined,
  secrets: readonly string[],
): Finding {
  const where = change === undefined ? 'a configuration event' : `the change of ${itemWords(change)}`;
  const found = secrets
    .slice(0, 5)
    .map((type) => shown(type))
    .join(', ');
  return {
    title: 'Secret in configuration',
    severity: 'high',
    score: 0.9,
    reason: `${whoWords(event)}: ${where} held a secret in plain text (${found}); it was redacted here, and is still where it came from.`,
    observed: `${secrets.length === 1 ? 'a secret' : `${secrets.length} types of secrets`} (${found}) in ${where}`,
    normal: 'configuration names secrets and does not hold them',
    distance: `${secrets.length} more than none`,
    dedupKey: `secret ${change?.item_type ?? ''} ${change?.item ?? ''} ${secrets.join(' ')}`,
    references: references['config-drift'],
  };
}

function describeChange(event: CustodyEvent, change: Change, doubt: string): Finding {
  const isNew = change.before === undefined && change.after !== undefined;
  const isGone = change.before !== undefined && change.after === undefined;
  const kind = isNew ? 'New' : isGone ? 'Removed' : 'Changed';
  const values =
    isNew || isGone || change.before === undefined
      ? shown(change.after ?? change.before ?? '', 100)
      : `${shown(change.before, 100)} to ${shown(change.after ?? '', 100)}`;
  const observed = `${kind.toLowerCase()} ${itemWords(change)}${values === '' ? '' : `: ${values}`}; ${doubt}`;
  return {
    title: `${kind} ${change.item_type} without approval`,
    severity: severities[change.item_type],
    score: severities[change.item_type] === 'medium' ? 0.7 : 0.4,
    reason: `${whoWords(event)}: ${observed}.`,
    observed,
    normal: 'changes have a change ticket or an approver other than who makes them',
    distance: 'no approval',
    dedupKey: `change ${change.item_type} ${change.item} ${change.field ?? ''} ${change.after ?? ''}`,
    references: references['config-drift'],
  };
}

function itemWords({ item_type: type, item, field }: Change): string {
  return `${type} ${shown(item)}${field === undefined ? '' : ` (${shown(field)})`}`;
}

function whoWords({ actor }: CustodyEvent): string {
  const who = actor?.user_id ?? actor?.id ?? actor?.runtime_id;
  return who === undefined ? 'By somebody unnamed' : `By ${shown(who)}`;
}
