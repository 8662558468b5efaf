import type { CustodyEvent } from '../schemas/event.ts';
import { aboutSystem } from './about-system.ts';
import type { Silent } from './counters/silence.ts';
import type { CallFacts, Finding } from './detector.ts';
import { references } from './references.ts';
import { shown, spanText } from './wording.ts';

export function describeSilence(silent: Silent): Finding {
  const { name, silentMs, usualGapMs, othersSince, usualOthers, perDay, eventId } = silent;
  const observed = `no call of server ${shown(name)} for ${spanText(silentMs)}, while others had ${othersSince} calls`;
  const normal = `99 of 100 gaps between its calls are below ${spanText(usualGapMs)} and ${usualOthers} calls of others; it has about ${perDay} calls a day`;
  return {
    title: 'Server silent',
    severity: 'low',
    score: 0.5,
    reason: `There is ${observed}; normal is that ${normal}.`,
    observed,
    normal,
    distance: `${(silentMs / usualGapMs).toFixed(1)} times the usual gap`,
    dedupKey: `silent ${name} ${eventId}`,
    evidence: [eventId],
    about: aboutSystem(name),
    references: references.health,
  };
}

export function describeLatency(
  { toolKey, server, tool }: CallFacts,
  p95Ms: number,
  usualMs: number,
  usualCalls: number,
  recentCalls: number,
  evidence: readonly string[],
): Finding {
  const observed = `19 of the last ${recentCalls} calls of ${shown(toolKey, 120)} took up to ${p95Ms} ms`;
  const normal = `95 of 100 calls take up to ${usualMs} ms, over ${usualCalls} calls`;
  return {
    title: 'Tool far slower than usual',
    severity: 'low',
    score: p95Ms / (p95Ms + 4 * Math.max(1, usualMs)),
    reason: `${observed}; normal is that ${normal}.`,
    observed,
    normal,
    distance: `${(p95Ms / Math.max(1, usualMs)).toFixed(1)} times`,
    dedupKey: `slow ${toolKey}`,
    evidence,
    about: aboutSystem(server, tool === '' ? undefined : tool),
    references: references.health,
  };
}

const severities: Readonly<Record<string, Finding['severity']>> = {
  degraded: 'low',
  failing: 'medium',
  down: 'high',
};

export function describeStatus(
  { server }: CustodyEvent,
  component: string,
  dependency: string | undefined,
  status: string,
  before: string,
): Finding {
  const what = `${shown(component)}${dependency === undefined ? '' : `, which needs ${shown(dependency)},`}`;
  const observed = `${what} says it is ${status}`;
  const severity = severities[status] ?? 'low';
  return {
    title:
      dependency === undefined ? `Component ${status}` : `Component ${status} because of what it depends on`,
    severity,
    score: severity === 'high' ? 0.9 : severity === 'medium' ? 0.7 : 0.4,
    reason: `${observed}; before it was ${before}.`,
    observed,
    normal: 'ok',
    distance: `${before} to ${status}`,
    dedupKey: `status ${component} ${dependency ?? ''} ${status}`,
    about: aboutSystem(server?.name),
    references: references.health,
  };
}

export function describeQueue(
  { server }: CustodyEvent,
  component: string,
  depths: readonly number[],
  evidence: readonly string[],
): Finding {
  const [first = 0] = depths;
  const last = depths.at(-1) ?? 0;
  const observed = `the queue of ${shown(component)} grew in ${depths.length - 1} reports in a row: ${depths.join(', ')}`;
  return {
    title: 'Queue grows',
    severity: last >= 4 * Math.max(1, first) ? 'medium' : 'low',
    score: last / (last + Math.max(1, first)),
    reason: `In the reports, ${observed}; normal is a queue that also gets shorter.`,
    observed,
    normal: 'a queue that also gets shorter',
    distance: `${(last / Math.max(1, first)).toFixed(1)} times the first`,
    dedupKey: `queue ${component}`,
    evidence,
    about: aboutSystem(server?.name),
    references: references.health,
  };
}
