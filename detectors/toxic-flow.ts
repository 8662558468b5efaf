import type { DetectConfig } from '../schemas/config.ts';
import { dataClassOf, typesFound } from './content/data-classes.ts';
import { sendsOut } from './content/outlets.ts';
import type {
  CallFacts,
  ContactFacts,
  DetectEvent,
  Detector,
  DetectorState,
  Finding,
  Raise,
  SourceFacts,
  ValueFacts,
} from './detector.ts';
import {
  isNewDestination,
  learnContacts,
  newKnownDestinations,
  newSessionContacts,
  noteContacts,
  type KnownDestinations,
  type SessionContacts,
} from './learning/known-destinations.ts';
import { isUsualToFollow, learnRequests, newRequests, type Requests } from './followed-requests.ts';
import { describeFlow, instructionForms, type Instruction } from './toxic-flow-words.ts';

interface ToxicTenant extends KnownDestinations {
  readonly requests: Requests;
}

interface ToxicSession {
  readonly contacts: SessionContacts;
  /** Results that spoke to the model, oldest first. */
  readonly instructions: Instruction[];
  readonly requests: Requests;
}

type State = DetectorState<ToxicTenant, ToxicSession>;

const maxInstructions = 16;
/** A shorter value is equal by chance. */
const minValueBytes = 5;
/** Longer than most names and addresses. */
const tellingBytes = 40;

/** What a stranger wrote in a result decides what the agent does next with the power it has. */
export function toxicFlow(config: DetectConfig['toxic_flow']): Detector<ToxicTenant, ToxicSession> {
  return {
    id: 'toxic-flow',
    version: 1,
    kinds: ['tool_call', 'api_call'],
    newTenantState: () => ({ ...newKnownDestinations(), requests: newRequests() }),
    newSessionState: () => ({
      contacts: newSessionContacts(),
      instructions: [],
      requests: newRequests(),
    }),

    step(detected, state, raise) {
      const { call, fresh, decision, event } = detected;
      if (call === undefined) return;
      const news = fresh.call || fresh.values || fresh.destinations.length > 0;
      const told = event.arguments?.findings !== undefined;
      if ((news || told) && !call.continuation && isPowerful(call))
        judge(config, detected, call, state, raise);
      noteInstruction(state.session, detected, call);
      noteContacts(state.session.contacts, call, decision);
    },

    learn({ tenant, session }) {
      learnContacts(tenant, session.contacts);
      learnRequests(tenant.requests, session.requests);
    },
    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

/** The call changes something or hands something out. */
function isPowerful(call: CallFacts): boolean {
  const { destructive, privileged, changesState } = call.traits;
  return destructive || privileged || changesState || sendsOut(call);
}

function noteInstruction({ instructions }: ToxicSession, { event }: DetectEvent, call: CallFacts): void {
  const shapes = event.result?.shapes;
  if (shapes === undefined) return;
  for (const form of instructionForms) {
    if ((shapes[form] ?? 0) === 0) continue;
    if (instructions.some(({ index, form: known }) => index === call.index && known === form)) continue;
    instructions.push({
      index: call.index,
      eventId: event.event_id,
      toolKey: call.toolKey,
      server: call.server,
      untrusted: call.traits.untrustedOutput,
      form,
    });
    if (instructions.length > maxInstructions) instructions.shift();
  }
}

/** The gravest way in which what was read and what is done belong together. */
function judge(
  config: DetectConfig['toxic_flow'],
  detected: DetectEvent,
  call: CallFacts,
  { tenant, session }: State,
  raise: Raise,
): void {
  const here: Here = {
    detected,
    call,
    earlier: session.instructions.filter(({ index }) => index < call.index),
    tenant,
    learned: tenant.sessions >= config.learning_sessions,
    refused: detected.decision === 'deny',
    sensitive: typesFound(detected.event.arguments?.findings, 'secret', 'identity'),
  };
  const request = requestFollowed(here);
  noteRequest(session.requests, here, request);
  const finding =
    instructed(here) ?? phished(here) ?? lured(here) ?? requested(here, request) ?? ruleOfTwo(here);
  if (finding !== undefined) raise(finding);
  const last = here.earlier.findLast(({ form }) => form === 'instruction');
  const { destructive, privileged } = call.traits;
  if (last !== undefined && finding === undefined && (destructive || privileged || sendsOut(call)))
    raise(describeFlow('after', 'low', { call, by: last, flow: undefined }));
}

interface Here {
  readonly detected: DetectEvent;
  readonly call: CallFacts;
  /** Results before this call that spoke to the model. */
  readonly earlier: readonly Instruction[];
  readonly tenant: ToxicTenant;
  readonly learned: boolean;
  readonly refused: boolean;
  /** Types in the arguments. */
  readonly sensitive: readonly string[];
}

/** A value or a destination came from a result that gives orders. */
function instructed({ call, earlier, refused }: Here): Finding | undefined {
  const orders = earlier.filter(({ form }) => form === 'instruction');
  const flow = flowFrom(call, ({ index }) => orders.some((order) => order.index === index));
  if (flow === undefined) return undefined;
  const by = orders.find(({ index }) => index === flow.source.index);
  const severity = by?.untrusted !== false && !refused ? 'high' : 'medium';
  return describeFlow('instructed', severity, { call, by, flow });
}

/** A page or message asked for credentials, and what an earlier result showed of them goes there. */
function phished({ call, earlier, detected, refused, sensitive }: Here): Finding | undefined {
  const asking = earlier.findLast(
    (one) =>
      one.form === 'credential_prompt' &&
      one.untrusted &&
      (one.server === call.server || flowFrom(call, ({ index }) => index === one.index) !== undefined),
  );
  if (asking === undefined) return undefined;
  const flow = flowFrom(
    { ...call, contacts: [] },
    ({ index }) => index !== asking.index && isSensitive(detected.session, index),
  );
  if (flow === undefined) return undefined;
  return describeFlow('phished', refused ? 'low' : sensitive.length > 0 ? 'high' : 'medium', {
    call,
    by: asking,
    flow,
  });
}

/** Sensitive data goes to a place that a stranger named and nobody has used. */
function lured({ call, tenant, detected, learned, refused, sensitive }: Here): Finding | undefined {
  if (sensitive.length === 0 || !sendsOut(call)) return undefined;
  const lure = newContact(call, tenant, detected.registry, ({ source }) => source?.untrusted === true);
  if (lure?.source === undefined) return undefined;
  const flow = { what: lure.destination, source: lure.source };
  const severity = learned && !refused ? 'high' : 'low';
  return describeFlow('lured', severity, { call, by: undefined, flow, sensitive });
}

interface Request extends Flow {
  /** Where the call goes, not what it holds. */
  readonly isPlace: boolean;
}

/** A stranger's plain request decides where a call goes, or what a dangerous call does. */
function requestFollowed({ call, earlier, tenant, detected }: Here): Request | undefined {
  const requests = earlier.filter(isRequest);
  if (requests.length === 0) return undefined;
  const asks = ({ index }: SourceFacts) => requests.some((request) => request.index === index);
  const contact = sendsOut(call)
    ? newContact(call, tenant, detected.registry, ({ source }) => source !== undefined && asks(source))
    : undefined;
  if (contact?.source !== undefined)
    return { what: contact.destination, source: contact.source, isPlace: true };
  const flow = call.traits.destructive || call.traits.privileged ? flowFrom(call, asks) : undefined;
  return flow && { ...flow, isPlace: false };
}

const isRequest = ({ form, untrusted }: Instruction) => form === 'imperative' && untrusted;

function noteRequest(seen: Requests, { call, earlier, refused }: Here, request: Request | undefined): void {
  if (refused || !sendsOut(call) || !earlier.some(isRequest)) return;
  seen.heard = 1;
  if (request?.isPlace === true) seen.followed = 1;
}

/** People ask for things all day, so it must be new, and where agents write to whoever asks, a new place is none. */
function requested(
  { call, earlier, tenant, learned, refused }: Here,
  flow: Request | undefined,
): Finding | undefined {
  if (flow === undefined) return undefined;
  const by = earlier.find((one) => isRequest(one) && one.index === flow.source.index);
  const isHabit = flow.isPlace && isUsualToFollow(tenant.requests);
  return describeFlow('requested', learned && !refused && !isHabit ? 'medium' : 'low', { call, by, flow });
}

/**
 * Untrusted input, sensitive data and an action outside, all in one session: a note when a new place is in it; more when
 * part of the sensitive result goes there. A name or an address that is read and then written to is no such part.
 */
function ruleOfTwo({ call, tenant, detected, learned, sensitive }: Here): Finding | undefined {
  const source = sensitiveSource(detected.session);
  const untrusted = detected.session.untrustedSources.find(({ index }) => index !== source?.index);
  if (untrusted === undefined || source === undefined || !sendsOut(call)) return undefined;
  if (newContact(call, tenant, detected.registry, ({ origin }) => origin !== 'prompt') === undefined)
    return undefined;
  const part = call.values.find(
    (value) =>
      value.source?.index === source.index && (value.sizeBytes >= tellingBytes || sensitive.length > 0),
  );
  return describeFlow('rule-of-two', part !== undefined && learned ? 'medium' : 'low', {
    call,
    by: { ...untrusted, form: 'imperative' },
    flow: { what: part?.path ?? '', source },
  });
}

function newContact(
  { contacts }: CallFacts,
  tenant: KnownDestinations,
  registry: DetectEvent['registry'],
  matches: (contact: ContactFacts) => boolean,
): ContactFacts | undefined {
  return contacts.find(
    (contact) =>
      matches(contact) &&
      isNewDestination(tenant, contact.hash) &&
      registry?.allowsDestination(contact.destination) !== true,
  );
}

interface Flow {
  /** The argument or the destination. */
  readonly what: string;
  readonly source: SourceFacts;
}

/** A value or destination that came from a result that matches. */
function flowFrom(
  { values, contacts }: CallFacts,
  matches: (source: SourceFacts) => boolean,
): Flow | undefined {
  const comes = ({ source }: ValueFacts | ContactFacts) => source !== undefined && matches(source);
  const contact = contacts.find(comes);
  if (contact?.source !== undefined) return { what: contact.destination, source: contact.source };
  const value = values.find((candidate) => candidate.sizeBytes >= minValueBytes && comes(candidate));
  return value?.source === undefined ? undefined : { what: value.path, source: value.source };
}

/** The first result that showed secrets or what identifies people. */
function sensitiveSource({ sensitive }: DetectEvent['session']): SourceFacts | undefined {
  for (const [type, source] of sensitive) {
    const dataClass = dataClassOf(type);
    if (dataClass === 'secret' || dataClass === 'identity') return source;
  }
  return undefined;
}

function isSensitive({ sensitive }: DetectEvent['session'], callIndex: number): boolean {
  for (const [type, source] of sensitive)
    if (source.index === callIndex && dataClassOf(type) !== 'contact') return true;
  return false;
}
