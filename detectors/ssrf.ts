import type { DetectConfig } from '../schemas/config.ts';
import { addressClass, type AddressClass } from './content/address-class.ts';
import type { CallFacts, ContactFacts, DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import {
  isNewDestination,
  learnContacts,
  newKnownDestinations,
  newSessionContacts,
  noteContacts,
  type KnownDestinations,
  type SessionContacts,
} from './learning/known-destinations.ts';
import { contentReferences } from './references-content.ts';
import { hostTable } from './registry/host-table.ts';
import { shown } from './wording.ts';

/** A request to a place inside: a metadata service, a link-local, loopback or private address. */
export function ssrf(config: DetectConfig['ssrf']): Detector<KnownDestinations, SessionContacts> {
  const allowed = hostTable(
    config.allow.map((host) => ({ host, value: true })),
    (known) => known,
  );
  return {
    id: 'ssrf',
    version: 1,
    kinds: ['tool_call', 'api_call'],
    newTenantState: newKnownDestinations,
    newSessionState: newSessionContacts,

    step(detected, { tenant, session }, raise) {
      const { call, fresh } = detected;
      if (call === undefined) return;
      let inside = 0;
      for (const destination of fresh.destinations) {
        const place = addressClass(destination);
        if (place === undefined) continue;
        inside += 1;
        if (allowed.find(destination) === true || isOurs(detected, destination, place)) continue;
        const contact = call.contacts.find((candidate) => candidate.destination === destination);
        judge(config, { place, destination, contact }, detected, call, tenant, raise);
      }
      if (inside === 0) judgeShapes(config, detected, call, tenant, raise);
      noteContacts(session, call, detected.decision);
    },

    learn: ({ tenant, session }) => learnContacts(tenant, session),
    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

interface Target {
  readonly place: AddressClass;
  readonly destination: string | undefined;
  readonly contact: ContactFacts | undefined;
}

/** People have said that it may be reached. A metadata service is never meant by a block of ours that holds it. */
function isOurs({ registry }: DetectEvent, destination: string, place: AddressClass): boolean {
  if (registry === undefined || place === 'metadata' || place === 'link_local') return false;
  const trust = registry.zoneOfDestination(destination)?.trust;
  return registry.allowsDestination(destination) === true || trust === 'internal' || trust === 'restricted';
}

/** The arguments have such a form, though no address could be read from them: an encoded one. */
function judgeShapes(
  config: DetectConfig['ssrf'],
  detected: DetectEvent,
  call: CallFacts,
  tenant: KnownDestinations,
  raise: Raise,
): void {
  // Destinations told by another observation of the call have been judged.
  if (call.destinations.some((destination) => addressClass(destination) !== undefined)) return;
  for (const shape in detected.event.arguments?.shapes) {
    if (!shape.startsWith('ssrf')) continue;
    const place = placeOfShape(shape);
    judge(config, { place, destination: undefined, contact: undefined }, detected, call, tenant, raise);
  }
}

function placeOfShape(shape: string): AddressClass {
  if (shape.includes('metadata')) return 'metadata';
  if (shape.includes('link')) return 'link_local';
  return shape.includes('loopback') || shape.includes('localhost') ? 'loopback' : 'private';
}

function judge(
  config: DetectConfig['ssrf'],
  target: Target,
  detected: DetectEvent,
  call: CallFacts,
  tenant: KnownDestinations,
  raise: Raise,
): void {
  const { place, destination, contact } = target;
  const isNew = destination !== undefined && isNewDestination(tenant, contact?.hash ?? itemHash(destination));
  if ((place === 'loopback' || place === 'private') && destination !== undefined && !isNew) return;
  const where = destination === undefined ? 'an address in an encoded form' : shown(destination);
  const how = contact?.addressed === false ? 'was called with a text that names' : 'was called with';
  const observed = `${shown(call.toolKey)} ${how} ${where}, ${places[place]}${originText(contact)}`;
  raise({
    title: place === 'metadata' ? 'Request to a metadata service' : 'Request to an address inside',
    severity: severityOf(config, target, detected, call, tenant, isNew),
    score: scores[place],
    reason: `${observed}. Nobody has allowed this place${isNew ? ` and none of ${tenant.sessions} earlier sessions went there` : ''}.`,
    observed,
    normal:
      place === 'metadata' || place === 'link_local'
        ? 'no call names a metadata service or a link-local address'
        : 'private addresses are known from earlier sessions or registered',
    distance: isNew ? `0 of ${tenant.sessions} sessions went there` : 'one such call is too many',
    dedupKey: `${place} ${destination ?? call.toolKey}`,
    ...(contact?.source === undefined ? {} : { evidence: [contact.source.eventId] }),
    references: contentReferences.ssrf,
  });
}

function severityOf(
  config: DetectConfig['ssrf'],
  { place, destination, contact }: Target,
  { decision, event, registry }: DetectEvent,
  call: CallFacts,
  tenant: KnownDestinations,
  isNew: boolean,
): Finding['severity'] {
  const refused = decision === 'deny';
  // A text that only speaks of the place goes nowhere, unless the tool runs what it is told, or may.
  const isMention = contact?.addressed === false && call.action !== 'execute';
  if (isMention && !call.traits.egress && call.action !== 'unknown') return 'low';
  if (place === 'metadata') return refused || isMention ? 'medium' : 'high';
  if (place === 'link_local') return refused || isMention ? 'low' : 'medium';
  const reaching =
    call.traits.egress ||
    event.tool?.annotations?.open_world === true ||
    registry?.tool(call.server, call.tool)?.openWorld === true;
  const learned = tenant.sessions >= config.learning_sessions;
  return reaching && isNew && learned && !refused && destination !== undefined ? 'medium' : 'low';
}

function originText(contact: ContactFacts | undefined): string {
  if (contact?.source === undefined) return '';
  return `, which came from the result of ${shown(contact.source.toolKey)}${contact.source.untrusted ? ' (untrusted)' : ''}`;
}

const places: Readonly<Record<AddressClass, string>> = {
  metadata: 'a service that hands out credentials of the machine',
  link_local: 'a link-local address',
  loopback: 'the machine itself',
  private: 'a private address',
};

const scores: Readonly<Record<AddressClass, number>> = {
  metadata: 0.99,
  link_local: 0.9,
  loopback: 0.6,
  private: 0.6,
};
