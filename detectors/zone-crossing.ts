import type { DetectConfig } from '../schemas/config.ts';
import { typesFound } from './content/data-classes.ts';
import { isOutside, outletsOf, sendsOut, type Outlet } from './content/outlets.ts';
import {
  judgeEnvironments,
  type EnvironmentSession,
  type EnvironmentTenant,
  type UsualWays,
} from './environment-crossing.ts';
import type { CallFacts, DetectEvent, Detector, DetectorState, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { addItem, type KnownItems } from './learning/known-items.ts';
import { describeCrossing, type Crossing, type ReadSource } from './zone-crossing-words.ts';

interface ZoneTenant extends EnvironmentTenant {
  /** Ways of data that benign sessions went, with the number of sessions. */
  readonly edges: KnownItems;
  sessions: number;
}

interface ZoneSession extends EnvironmentSession {
  /** Calls that read data of ours, oldest first. */
  readonly reads: Read[];
  readonly edges: number[];
  calls: number;
}

/** A call that returned data of a restricted or internal zone. */
interface Read {
  readonly source: ReadSource;
  readonly trust: string;
  /** Sensitive types found in its result, and data classes registered for its tool. */
  readonly classes: readonly string[];
}

type State = DetectorState<ZoneTenant, ZoneSession>;

const maxReads = 32;
const maxEdges = 64;
const maxTenantEdges = 4096;
/** A shorter value is in every text. */
const minFlowBytes = 6;

/** Data read in a zone of ours goes to a vendor or to strangers; one session or credential works in two environments. */
export function zoneCrossing(config: DetectConfig['zone_crossing']): Detector<ZoneTenant, ZoneSession> {
  const ways: UsualWays<ZoneTenant, ZoneSession> = {
    isUsual: ({ edges }, edge) => (edges.get(edge) ?? 0) >= config.usual_sessions,
    isLearned: ({ sessions }) => sessions >= config.learning_sessions,
    note: noteEdge,
  };
  return {
    id: 'zone-crossing',
    version: 1,
    kinds: ['tool_call', 'api_call'],
    newTenantState: () => ({ edges: new Map(), sessions: 0, credentials: new Map() }),
    newSessionState: () => ({ reads: [], edges: [], calls: 0, environments: [] }),

    step(detected, state, raise) {
      const { call, fresh } = detected;
      if (call === undefined) return;
      state.session.calls = Math.max(state.session.calls, call.index + 1);
      const told =
        fresh.values || fresh.destinations.length > 0 || detected.event.arguments?.findings !== undefined;
      if (told && !call.continuation) judgeFlow(config, detected, call, state, raise);
      judgeEnvironments(detected, call, state, raise, ways);
      noteRead(config, state.session, detected, call);
    },

    learn({ tenant, session }) {
      if (session.calls === 0) return;
      tenant.sessions += 1;
      for (const edge of session.edges) addItem(tenant.edges, edge, maxTenantEdges);
    },

    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

function noteRead(
  config: DetectConfig['zone_crossing'],
  { reads }: ZoneSession,
  { event, registry }: DetectEvent,
  call: CallFacts,
): void {
  if (event.result === undefined) return;
  const trust = registry?.zone(call.zone)?.trust;
  if (trust !== 'restricted' && trust !== 'internal') return;
  if (reads.some(({ source }) => source.index === call.index)) return;
  const registered = registry?.tool(call.server, call.tool)?.dataClasses ?? [];
  const { index, eventId, toolKey, zone } = call;
  reads.push({
    source: { index, eventId, toolKey, zone },
    trust,
    classes: [
      ...typesFound(event.result.findings, 'secret', 'identity'),
      ...registered.filter((name) => !config.public_classes.includes(name)),
    ].slice(0, 8),
  });
  if (reads.length > maxReads) reads.shift();
}

function judgeFlow(
  config: DetectConfig['zone_crossing'],
  detected: DetectEvent,
  call: CallFacts,
  state: State,
  raise: Raise,
): void {
  if (state.session.reads.length === 0) return;
  const carried = carriedReads(detected, call, state.session);
  if (carried.length === 0) return;
  const outlets = outletsOf(detected, call).filter(({ zone }) => isOutside(zone));
  for (const { read, bytes, types } of carried)
    for (const outlet of outlets)
      judgeWay(config, { read, bytes, types, outlet }, detected, call, state, raise);
}

interface Carried {
  readonly read: Read;
  /** Of arguments that came from its result; 0 when only the kind of data is the same. */
  readonly bytes: number;
  /** Sensitive types in the arguments that its result showed too. */
  readonly types: readonly string[];
}

const nothingCarried: readonly Carried[] = [];

/** Earlier results of which the arguments hold something. */
function carriedReads({ event }: DetectEvent, call: CallFacts, { reads }: ZoneSession): readonly Carried[] {
  const sensitive = typesFound(event.arguments?.findings, 'secret', 'identity');
  if (sensitive.length === 0 && call.values.length === 0) return nothingCarried;
  return reads
    .filter(({ source }) => source.index < call.index)
    .map((read) => {
      let bytes = 0;
      for (const { source, sizeBytes } of call.values)
        if (source?.index === read.source.index && sizeBytes >= minFlowBytes) bytes += sizeBytes;
      return { read, bytes, types: sensitive.filter((type) => read.classes.includes(type)) };
    })
    .filter(({ bytes, types }) => bytes > 0 || types.length > 0);
}

function judgeWay(
  config: DetectConfig['zone_crossing'],
  { read, bytes, types, outlet }: Carried & { readonly outlet: Outlet },
  { registry, decision }: DetectEvent,
  call: CallFacts,
  { tenant, session }: State,
  raise: Raise,
): void {
  const from = read.source.zone ?? '';
  const to = outlet.zone?.name ?? '';
  const classes = types.length > 0 ? types : read.classes;
  const verdicts = (classes.length === 0 ? [undefined] : classes).map((name) =>
    registry?.allowsFlow(from, to, name),
  );
  const forbidden = verdicts.includes(false);
  if (!forbidden && verdicts.every((verdict) => verdict === true)) return;
  const edge = itemHash(`${read.source.toolKey}\n${call.toolKey}\n${from}\n${to}`);
  const seen = tenant.edges.get(edge) ?? 0;
  if (decision !== 'deny') noteEdge(session, edge);
  if (!forbidden && seen >= config.usual_sessions) return;
  const crossing: Crossing = {
    call,
    source: read.source,
    fromTrust: read.trust,
    outlet,
    bytes,
    classes,
    seen,
    forbidden,
  };
  const acts = types.length > 0 || call.traits.changesState || sendsOut(call);
  const learned = tenant.sessions >= config.learning_sessions;
  raise(
    describeCrossing(
      crossing,
      severityOf(crossing, { learned, acts, refused: decision === 'deny' }),
      tenant.sessions,
    ),
  );
}

/**
 * Forbidden by a rule: high. A way no session has gone is worth a look when part of a sensitive result goes it, more so
 * out of a restricted zone. Anything else is a note: the same kind of data on both sides is no proof that it is the same.
 */
function severityOf(
  { forbidden, classes, fromTrust, bytes, seen }: Crossing,
  is: { readonly learned: boolean; readonly acts: boolean; readonly refused: boolean },
): Finding['severity'] {
  if (is.refused) return 'low';
  if (forbidden) return 'high';
  if (!is.learned || !is.acts || classes.length === 0 || bytes === 0 || seen > 0) return 'low';
  return fromTrust === 'restricted' ? 'high' : 'medium';
}

function noteEdge({ edges }: ZoneSession, edge: number): void {
  if (edges.length < maxEdges && !edges.includes(edge)) edges.push(edge);
}
