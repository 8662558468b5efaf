import type { Detector, Finding } from '../../../detectors/detector.ts';
import type { Severity } from '../../../schemas/alert.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../../schemas/event.ts';
import type { IncidentChange } from '../../../schemas/incident.ts';
import { uuidOf, type Call } from '../sessions.ts';

interface Learned {
  /** Tools of the sessions that were learned from, in order. */
  readonly tools: string[];
}
interface Shown {
  readonly tools: string[];
}

/**
 * Raises what the arguments' summary says (detector, `page` or `shadow`, severity, matter, session if another), and learns the names of a
 * session's tools: a detector whose every alert and lesson a test can plan.
 */
export function plantedDetector(id = 'planted'): Detector<Learned, Shown> {
  return {
    id,
    version: 1,
    newTenantState: () => ({ tools: [] }),
    newSessionState: () => ({ tools: [] }),
    step({ event, fresh }, { session }, raise) {
      if (fresh.call && event.tool?.name !== undefined) session.tools.push(event.tool.name);
      const [by, mode, severity, matter, about] = (event.arguments?.summary ?? '').split(' ');
      if (by !== id || matter === undefined) return;
      raise(finding(severity as Severity, matter, mode === 'shadow' ? 'shadow' : undefined, about));
    },
    learn: ({ tenant, session }) => tenant.tools.push(...session.tools),
    status: ({ tools }) => ({ learning: tools.length < 3, seen: tools.length }),
  };
}

function finding(severity: Severity, matter: string, mode: 'shadow' | undefined, about?: string): Finding {
  return {
    title: `planted ${matter}`,
    severity,
    score: 0.5,
    reason: 'it was planned',
    observed: 'one',
    normal: 'none',
    distance: 'one more',
    dedupKey: matter,
    references: { owasp: [], atlas: [], attack: [] },
    ...(mode === undefined ? {} : { mode }),
    ...(about === undefined ? {} : { about: { ...nothing, sessionKey: about } }),
  };
}

const nothing = {
  sessionKey: undefined,
  traceId: undefined,
  actorId: undefined,
  userId: undefined,
  serverName: undefined,
  toolName: undefined,
  decision: undefined,
};

/** A call that the planted detector raises an alert about. */
export function bad(
  severity: Severity,
  matter: string,
  {
    tool = 'bad_tool',
    by = 'planted',
    mode = 'page',
    about,
  }: { tool?: string; by?: string; mode?: string; about?: string } = {},
): Call {
  return {
    tool,
    change: (event) => ({
      ...event,
      arguments: { summary: [by, mode, severity, matter, about].filter(Boolean).join(' ') },
    }),
  };
}

/** A change of an incident, as the pipeline's API appends it. */
export function incidentEvent(tenant: string, timeMs: number, change: Partial<IncidentChange>): CustodyEvent {
  return {
    schema: EVENT_SCHEMA,
    event_id: uuidOf(`${tenant} ${timeMs} ${JSON.stringify(change)}`),
    kind: 'incident',
    tenant,
    time_unix_nano: `${timeMs}000000`,
    observed_time_unix_nano: `${timeMs}000000`,
    source: { collector: 'pipeline', signal: 'audit', dialect: 'pipeline', vantage: 'unknown' },
    incident: { incident_id: uuidOf('no incident'), changed_by: 'ann', ...change },
  };
}
