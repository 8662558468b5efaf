import { foundText } from './content/data-classes.ts';
import type { Outlet } from './content/outlets.ts';
import type { CallFacts, Finding, SourceFacts } from './detector.ts';
import { contentReferences } from './references-content.ts';
import { capital, shown } from './wording.ts';

type Found = Readonly<Record<string, number>> | undefined;

/** A secret in a call, and what the tool usually does. */
export interface SecretFacts {
  readonly call: CallFacts;
  readonly types: readonly string[];
  readonly found: Found;
  /** Share of the tool's calls that have one on this side. */
  readonly percent: number;
  readonly sessions: number;
}

const references = contentReferences['secret-leak'];

/** A secret in the arguments of a call that hands them to somebody else. */
export function describeSecretOut(
  { call, types, found, percent, sessions }: SecretFacts,
  severity: Finding['severity'],
  where: {
    readonly outside: Outlet | undefined;
    readonly newPlace: string | undefined;
    readonly shownBy: SourceFacts | undefined;
  },
): Finding {
  const { outside, newPlace, shownBy } = where;
  const to = [
    ...(newPlace === undefined ? [] : [`to ${shown(newPlace)}, which no earlier session used`]),
    ...(outside?.zone === undefined ? [] : [`into zone ${shown(outside.zone.name)} (${outside.zone.trust})`]),
  ].join(', ');
  const observed =
    `the arguments of ${shown(call.toolKey)} hold ${foundText(found, types)}${to === '' ? '' : `, sent ${to}`}` +
    (shownBy === undefined ? '' : `; a result of ${shown(shownBy.toolKey)} showed such a secret before`);
  return {
    title: 'Secret sent out',
    severity,
    score: severity === 'high' ? 0.97 : 0.7,
    reason: `${capital(observed)}.`,
    observed,
    normal: usual(percent, sessions, 'arguments'),
    distance: `${percent} % of its calls carry secrets`,
    dedupKey: `sent ${call.toolKey} ${newPlace ?? outside?.zone?.name ?? ''}`,
    ...(shownBy === undefined ? {} : { evidence: [shownBy.eventId] }),
    references,
  };
}

/** A secret in the result of a call: now the agent has it. */
export function describeSecretIn(
  { call, types, found, percent, sessions }: SecretFacts,
  severity: Finding['severity'],
): Finding {
  const observed = `the result of ${shown(call.toolKey)} holds ${foundText(found, types)}`;
  return {
    title: 'Secret in a result',
    severity,
    score: severity === 'medium' ? 0.85 : 0.5,
    reason: `${capital(observed)}; ${usual(percent, sessions, 'results')}. The agent and its model have it now.`,
    observed,
    normal: usual(percent, sessions, 'results'),
    distance: `${percent} % of its results hold secrets`,
    dedupKey: `shown ${call.toolKey}`,
    references,
  };
}

/** Personal data of many people at once. */
export function describePersonal(
  call: CallFacts,
  side: 'arguments' | 'result',
  count: number,
  p99: number,
): Finding {
  const observed = `${count} pieces of personal data in the ${side} of ${shown(call.toolKey)}`;
  const normal = `at most ${p99} in 99 of 100 calls of this tool`;
  return {
    title: 'Far more personal data than usual',
    severity: 'medium',
    score: count / (count + Math.max(1, p99)),
    reason: `${capital(observed)}; normal is ${normal}.`,
    observed,
    normal,
    distance: `${(count / Math.max(1, p99)).toFixed(1)} times the 99th percentile`,
    dedupKey: `personal ${side} ${call.toolKey}`,
    references,
  };
}

/** What should have been redacted is there. `claimed`: how many pieces the sender says it handled. */
export function describeRedaction(
  call: CallFacts,
  side: 'arguments' | 'result',
  found: Found,
  types: readonly string[],
  claimed: number | undefined,
): Finding {
  const observed = `the ${side} of ${shown(call.toolKey)} still hold ${foundText(found, types)}`;
  const normal =
    claimed === undefined
      ? 'policy decided to redact data of this tool'
      : `the sender counted ${claimed} pieces of personal data and let them through`;
  return {
    title: 'Redaction is missing',
    severity: claimed === undefined ? 'medium' : 'low',
    score: claimed === undefined ? 0.9 : 0.5,
    reason: `${capital(observed)}, although ${normal}.`,
    observed,
    normal,
    distance: `${types.length} types left`,
    dedupKey: `redaction ${side} ${call.toolKey}`,
    references,
  };
}

function usual(percent: number, sessions: number, side: string): string {
  return sessions === 0
    ? 'the tool is not known from any earlier session'
    : `${percent} % of its ${side} hold secrets (${sessions} sessions)`;
}
