import type { DetectConfig } from '../schemas/config.ts';
import { countFound, typesFound } from './content/data-classes.ts';
import { isOutside, newDestinationOf, outletsOf, sendsOut } from './content/outlets.ts';
import type { CallFacts, DetectEvent, Detector, DetectorState, Finding, Raise } from './detector.ts';
import {
  habitPercent,
  isEstablished,
  learnHabits,
  observeHabit,
  type Habits,
  type SessionHabits,
} from './learning/habits.ts';
import {
  learnContacts,
  newKnownDestinations,
  newSessionContacts,
  noteContacts,
  type KnownDestinations,
  type SessionContacts,
} from './learning/known-destinations.ts';
import { addSize, newSizeSketch, p99Bytes, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';
import {
  describePersonal,
  describeRedaction,
  describeSecretIn,
  describeSecretOut,
} from './secret-leak-words.ts';

type Side = 'arguments' | 'result';

interface LeakTenant {
  readonly known: KnownDestinations;
  readonly habits: Habits;
  /** Pieces of personal data per call, by tool hash and side. */
  readonly personal: Map<string, SizeSketch>;
}

interface LeakSession {
  readonly contacts: SessionContacts;
  readonly tools: SessionHabits;
  readonly personal: { readonly key: string; readonly bucket: number }[];
  /** Tools whose data a policy said to redact. */
  readonly redacted: string[];
}

type State = DetectorState<LeakTenant, LeakSession>;

const maxSketches = 1024;
const maxTaught = 128;
const maxRedacted = 16;
const minCounts = 20;
const surelySessions = 5;
const secretIn = 'secret in arguments';
const secretOut = 'secret in result';
const noForms: readonly string[] = [];

/** Secrets and personal data where they should not be: sent out, shown by a tool that never does, left in after redaction. */
export function secretLeak(config: DetectConfig['secret_leak']): Detector<LeakTenant, LeakSession> {
  return {
    id: 'secret-leak',
    version: 1,
    kinds: ['tool_call', 'api_call', 'policy', 'redaction'],
    newTenantState: () => ({ known: newKnownDestinations(), habits: new Map(), personal: new Map() }),
    newSessionState: () => ({ contacts: newSessionContacts(), tools: new Map(), personal: [], redacted: [] }),

    step(detected, state, raise) {
      const { event, call, fresh, decision } = detected;
      const { session } = state;
      if (event.policy?.decision === 'redact') noteRedaction(session, call?.tool ?? event.tool?.name);
      if (call === undefined) return;
      // Most events.
      if (event.arguments?.findings === undefined && event.result?.findings === undefined) {
        if (fresh.call) observeHabit(session.tools, call.toolHash, call.index, true, noForms);
        noteContacts(session.contacts, call, decision);
        return;
      }
      const secrets = {
        arguments: typesFound(event.arguments?.findings, 'secret'),
        result: typesFound(event.result?.findings, 'secret'),
      };
      const forms = [
        ...(secrets.arguments.length > 0 ? [secretIn] : []),
        ...(secrets.result.length > 0 ? [secretOut] : []),
      ];
      if (fresh.call || forms.length > 0)
        observeHabit(session.tools, call.toolHash, call.index, fresh.call, forms);
      if (secrets.arguments.length > 0) judgeSent(config, detected, call, secrets.arguments, state, raise);
      if (secrets.result.length > 0) judgeShown(config, detected, call, secrets.result, state, raise);
      judgePersonal(config, detected, call, state, raise);
      judgeRedaction(detected, call, session, raise);
      noteContacts(session.contacts, call, decision);
    },

    learn({ tenant, session }) {
      learnContacts(tenant.known, session.contacts);
      learnHabits(tenant.habits, session.tools);
      for (const { key, bucket } of session.personal) addSize(sketchOf(tenant.personal, key), bucket);
    },

    status: ({ known }) => ({
      learning: known.sessions < config.learning_sessions,
      seen: known.sessions,
    }),
  };
}

function noteRedaction({ redacted }: LeakSession, tool: string | undefined): void {
  if (tool === undefined || tool === '' || redacted.includes(tool)) return;
  redacted.push(tool);
  if (redacted.length > maxRedacted) redacted.shift();
}

/** A secret leaves with a call that hands its arguments to somebody else. */
function judgeSent(
  config: DetectConfig['secret_leak'],
  detected: DetectEvent,
  call: CallFacts,
  types: readonly string[],
  { tenant }: State,
  raise: Raise,
): void {
  if (!sendsOut(call)) return;
  const outside = outletsOf(detected, call).find(({ zone }) => isOutside(zone));
  const newPlace = newDestinationOf(detected, call, tenant.known);
  const learning = tenant.known.sessions < config.learning_sessions;
  const habitual =
    isEstablished(tenant.habits, call.toolHash, config.learning_sessions) &&
    habitPercent(tenant.habits, call.toolHash, secretIn) >= config.usual_percent;
  if (habitual && newPlace === undefined) return;
  // While it learns every place is new: what is usual could never be learned if that were more than a note.
  let severity: Finding['severity'] = 'low';
  if (habitual) severity = 'medium';
  else if (newPlace !== undefined ? !learning : outside !== undefined && !carriedBefore(tenant, call))
    severity = 'high';
  if (wasAsked(call) || detected.decision === 'deny') severity = 'low';
  const shownBy = types
    .map((type) => detected.session.sensitive.get(type))
    .find((source) => source !== undefined);
  raise(
    describeSecretOut(
      {
        call,
        types,
        found: detected.event.arguments?.findings,
        percent: habitPercent(tenant.habits, call.toolHash, secretIn),
        sessions: tenant.habits.get(call.toolHash)?.sessions ?? 0,
      },
      severity,
      { outside, newPlace, shownBy },
    ),
  );
}

/** Some benign session has had a secret in a call of this tool, and the place is one that is known. */
function carriedBefore({ habits }: LeakTenant, { toolHash }: CallFacts): boolean {
  return (habits.get(toolHash)?.hits.get(secretIn) ?? 0) > 0;
}

/** Everything in the arguments came from what the agent was asked: whoever asked gave the secret. */
function wasAsked({ values }: CallFacts): boolean {
  return values.length > 0 && values.every(({ origin, sizeBytes }) => origin === 'prompt' || sizeBytes < 8);
}

/** A tool shows a secret: news when it never does, a note when it does at times, its business when it does often. */
function judgeShown(
  config: DetectConfig['secret_leak'],
  { event }: DetectEvent,
  call: CallFacts,
  types: readonly string[],
  { tenant }: State,
  raise: Raise,
): void {
  const percent = habitPercent(tenant.habits, call.toolHash, secretOut);
  const sessions = tenant.habits.get(call.toolHash)?.sessions ?? 0;
  const established = sessions >= config.learning_sessions;
  if (established && percent >= config.usual_percent) return;
  // One in a hundred sessions may well have had none so far.
  const rare = sessions >= surelySessions * config.learning_sessions && percent === 0;
  raise(
    describeSecretIn(
      { call, types, found: event.result?.findings, percent, sessions },
      rare ? 'medium' : 'low',
    ),
  );
}

/** Far more people in one call than the tool ever handles. */
function judgePersonal(
  config: DetectConfig['secret_leak'],
  { event }: DetectEvent,
  call: CallFacts,
  { tenant, session }: State,
  raise: Raise,
): void {
  for (const side of ['arguments', 'result'] satisfies Side[]) {
    const findings = event[side]?.findings;
    if (findings === undefined) continue;
    const count = countFound(findings, 'identity', 'contact');
    const key = `${call.toolHash} ${side}`;
    const p99 = p99Bytes(tenant.personal.get(key) ?? newSizeSketch(), minCounts);
    if (p99 !== undefined && count >= config.personal_min && count > config.personal_ratio * Math.max(1, p99))
      raise(describePersonal(call, side, count, p99));
    if (session.personal.length < maxTaught) session.personal.push({ key, bucket: sizeBucket(count) });
  }
}

/** Somebody decided to redact, or says that it was done, and it is still there. Addresses of mail do not count. */
function judgeRedaction(
  { event }: DetectEvent,
  call: CallFacts,
  { redacted }: LeakSession,
  raise: Raise,
): void {
  for (const side of ['arguments', 'result'] satisfies Side[]) {
    const findings = event[side]?.findings;
    const types = typesFound(findings, 'secret', 'identity');
    if (types.length === 0) continue;
    if (redacted.includes(call.tool)) raise(describeRedaction(call, side, findings, types, undefined));
    else if ((event.pii?.count ?? 0) > 0)
      raise(describeRedaction(call, side, findings, types, event.pii?.count));
  }
}

function sketchOf(sketches: Map<string, SizeSketch>, key: string): SizeSketch {
  const known = sketches.get(key) ?? newSizeSketch();
  sketches.delete(key);
  if (sketches.size >= maxSketches) {
    const oldest = sketches.keys().next().value;
    if (oldest !== undefined) sketches.delete(oldest);
  }
  sketches.set(key, known);
  return known;
}
