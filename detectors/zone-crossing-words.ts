import type { Outlet } from './content/outlets.ts';
import type { CallFacts, Finding, SourceFacts } from './detector.ts';
import { contentReferences } from './references-content.ts';
import { bytesText, capital, shown } from './wording.ts';

const references = contentReferences['zone-crossing'];

/** The call that read the data. */
export type ReadSource = Pick<SourceFacts, 'index' | 'eventId' | 'toolKey' | 'zone'>;

/** Data of an earlier result on its way outside. */
export interface Crossing {
  readonly call: CallFacts;
  readonly source: ReadSource;
  readonly fromTrust: string;
  readonly outlet: Outlet;
  readonly bytes: number;
  readonly classes: readonly string[];
  /** Benign sessions that went this way. */
  readonly seen: number;
  /** By a flow rule of the registry. */
  readonly forbidden: boolean;
}

/** Data goes out of a zone of ours. */
export function describeCrossing(
  crossing: Crossing,
  severity: Finding['severity'],
  sessions: number,
): Finding {
  const { call, source, fromTrust, outlet, bytes, classes, seen, forbidden } = crossing;
  const what =
    classes.length === 0
      ? 'data'
      : `data of class ${classes
          .slice(0, 4)
          .map((name) => shown(name, 40))
          .join(', ')}`;
  const to = outlet.destination === undefined ? '' : ` to ${shown(outlet.destination)}`;
  const observed =
    `${what} read with ${shown(source.toolKey)} in zone ${shown(source.zone ?? '')} (${fromTrust}) went with ` +
    `${shown(call.toolKey)}${to} into zone ${shown(outlet.zone?.name ?? '')} (${outlet.zone?.trust ?? ''})` +
    (bytes > 0 ? `: ${bytesText(bytes)} of the arguments came from that result` : '');
  const normal = forbidden
    ? 'a flow rule of the registry forbids it'
    : `${seen} of ${sessions} earlier sessions went this way, and no flow rule allows it`;
  return {
    title: forbidden ? 'Forbidden flow of data between zones' : 'Data goes from a zone of ours outside',
    severity,
    score: severity === 'high' ? 0.96 : severity === 'medium' ? 0.85 : 0.5,
    reason: `${capital(observed)}; ${normal}.`,
    observed,
    normal,
    distance: forbidden ? 'never allowed' : `${seen} of ${sessions} sessions`,
    dedupKey: `${source.toolKey} ${call.toolKey} ${outlet.zone?.name ?? ''}`,
    evidence: [source.eventId],
    references,
  };
}

/** One session, or one credential, in two environments. */
export function describeEnvironments(
  by: 'session' | 'credential',
  severity: Finding['severity'],
  facts: {
    readonly call: CallFacts;
    readonly before: string;
    readonly now: string;
    readonly evidence: string;
  },
): Finding {
  const { call, before, now, evidence } = facts;
  const who = by === 'session' ? 'the session' : 'the credential';
  const observed = `${who} worked in ${shown(before)} and now in ${shown(now)} with ${shown(call.toolKey)}`;
  const normal = `${by === 'session' ? 'a session' : 'a credential'} stays in one environment`;
  return {
    title: by === 'session' ? 'One session in two environments' : 'One credential in two environments',
    severity,
    score: severity === 'medium' ? 0.85 : 0.5,
    reason: `${capital(observed)}; ${normal}.`,
    observed,
    normal,
    distance: '2 environments',
    dedupKey: `${by} ${[before, now].sort().join(' ')}`,
    evidence: [evidence],
    references,
  };
}
