import type { DetectConfig } from '../schemas/config.ts';
import { typesFound } from './content/data-classes.ts';
import { sendsOut } from './content/outlets.ts';
import type {
  CallFacts,
  ContactFacts,
  DetectEvent,
  Detector,
  DetectorState,
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
import { describeFlow, type Instruction } from './toxic-flow-words.ts';

interface ToxicSession {
  readonly contacts: SessionContacts;
  /** Results that spoke to the model, oldest first. */
  readonly instructions: Instruction[];
}

type State = DetectorState<KnownDestinations, ToxicSession>;

const maxInstructions = 16;
/** A shorter value is equal by chance. */
const minValueBytes = 5;
const instructionShape = 'instruction';

/** What a stranger wrote in a result decides what the agent does next with the power it has. */
export function toxicFlow(config: DetectConfig['toxic_flow']): Detector<KnownDestinations, ToxicSession> {
  return {
    id: 'toxic-flow',
    version: 1,
    kinds: ['tool_call', 'api_call'],
    newTenantState: newKnownDestinations,
    newSessionState: () => ({ contacts: newSessionContacts(), instructions: [] }),

    step(detected, state, raise) {
      const { call, fresh, decision, event } = detected;
      if (call === undefined) return;
      const news = fresh.call || fresh.values || fresh.destinations.length > 0;
      const told = event.arguments?.findings !== undefined;
      if ((news || told) && !call.continuation && isPowerful(call)) judge(config, detected, call, state, raise);
      noteInstruction(state.session, detected, call);
      noteContacts(state.session.contacts, call, decision);
    },

    learn: ({ tenant, session }) => learnContacts(tenant, session.contacts),
    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

/** The call changes something or hands something out. */
function isPowerful(call: CallFacts): boolean {
  const { destructive, privileged, changesState } = call.traits;
  return destructive || privileged || changesState || sendsOut(call);
}

function noteInstruction({ instructions }: ToxicSession, { event }: DetectEvent, call: CallFacts): void {
  if ((event.result?.shapes?.[instructionShape] ?? 0) === 0) return;
  if (instructions.some(({ index }) => index === call.index)) return;
  instructions.push({
    index: call.index,
    eventId: event.event_id,
    toolKey: call.toolKey,
    untrusted: call.traits.untrustedOutput,
  });
  if (instructions.length > maxInstructions) instructions.shift();
}

function judge(
  config: DetectConfig['toxic_flow'],
  detected: DetectEvent,
  call: CallFacts,
  { tenant, session }: State,
  raise: Raise,
): void {
  const earlier = session.instructions.filter(({ index }) => index < call.index);
  const flow = flowFrom(call, (source) => earlier.some(({ index }) => index === source.index));
  if (flow !== undefined) {
    const by = earlier.find(({ index }) => index === flow.source.index);
    const strong = by?.untrusted !== false && detected.decision !== 'deny';
    raise(describeFlow('instructed', strong ? 'high' : 'medium', { call, by, flow }));
    return;
  }
  const learned = tenant.sessions >= config.learning_sessions;
  const lure = call.contacts.find(
    ({ source, hash, destination }) =>
      source?.untrusted === true &&
      isNewDestination(tenant, hash) &&
      detected.registry?.allowsDestination(destination) !== true,
  );
  const sensitive = typesFound(detected.event.arguments?.findings, 'secret', 'identity');
  if (lure?.source !== undefined && sensitive.length > 0 && sendsOut(call))
    raise(
      describeFlow('lured', learned && detected.decision !== 'deny' ? 'high' : 'medium', {
        call,
        by: undefined,
        flow: { what: lure.destination, source: lure.source },
        sensitive,
      }),
    );
  else if (breaksRuleOfTwo(detected, call)) judgeTwo(detected, call, { tenant, learned }, raise);
  const last = earlier.at(-1);
  const { destructive, privileged } = call.traits;
  if (last !== undefined && (destructive || privileged || sendsOut(call)))
    raise(describeFlow('after', 'low', { call, by: last, flow: undefined }));
}

interface Flow {
  /** The argument or the destination. */
  readonly what: string;
  readonly source: SourceFacts;
}

/** A value or destination that came from a result that matches. */
function flowFrom({ values, contacts }: CallFacts, matches: (source: SourceFacts) => boolean): Flow | undefined {
  const comes = ({ source }: ValueFacts | ContactFacts) => source !== undefined && matches(source);
  const contact = contacts.find(comes);
  if (contact?.source !== undefined) return { what: contact.destination, source: contact.source };
  const value = values.find((candidate) => candidate.sizeBytes >= minValueBytes && comes(candidate));
  return value?.source === undefined ? undefined : { what: value.path, source: value.source };
}

/** Untrusted input, sensitive data and an action outside, all in one session. */
function breaksRuleOfTwo({ session }: DetectEvent, call: CallFacts): boolean {
  return session.untrustedSources.length > 0 && sensitiveSource(session) !== undefined && sendsOut(call);
}

function sensitiveSource({ sensitive }: DetectEvent['session']): SourceFacts | undefined {
  for (const type of typesFound(countsOf(sensitive), 'secret', 'identity')) {
    const source = sensitive.get(type);
    if (source !== undefined) return source;
  }
  return undefined;
}

function countsOf(sensitive: ReadonlyMap<string, SourceFacts>): Record<string, number> {
  return Object.fromEntries([...sensitive.keys()].map((type) => [type, 1]));
}

/** A note; more when the sensitive result itself goes to a place nobody has used. */
function judgeTwo(
  detected: DetectEvent,
  call: CallFacts,
  { tenant, learned }: { readonly tenant: KnownDestinations; readonly learned: boolean },
  raise: Raise,
): void {
  const source = sensitiveSource(detected.session);
  const [untrusted] = detected.session.untrustedSources;
  if (source === undefined || untrusted === undefined) return;
  const flow = flowFrom(call, ({ index }) => index === source.index);
  const newPlace = call.contacts.some(
    ({ hash, origin }) => origin !== 'prompt' && isNewDestination(tenant, hash),
  );
  const severity = flow !== undefined && newPlace && learned ? 'medium' : 'low';
  raise(
    describeFlow('rule-of-two', severity, {
      call,
      by: { ...untrusted, untrusted: true },
      flow: flow ?? { what: '', source },
    }),
  );
}
