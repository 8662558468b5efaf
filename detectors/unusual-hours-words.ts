import type { CallFacts, Finding } from './detector.ts';
import { hourNumber, hourOfWeek } from './learning/week-histogram.ts';
import { accessReferences } from './references-access.ts';
import { shown } from './wording.ts';

const references = accessReferences['unusual-hours'];
const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

export interface HourSeen {
  readonly share: number;
  /** Calls learned from, of them in this hour of the week. */
  readonly total: number;
  readonly inHour: number;
  /** Of the agent, else of its tenant. */
  readonly isOwn: boolean;
}

export function describeHour(
  actorKey: string,
  call: CallFacts,
  timeMs: number,
  { share, total, inHour, isOwn }: HourSeen,
  shareMax: number,
): Finding {
  const observed = `${shown(actorKey)} called ${shown(call.toolKey)} (${call.action}) on ${timeText(timeMs)}`;
  const whose = isOwn ? 'its' : 'all agents’';
  return {
    title: 'Work at an unusual hour',
    severity: 'medium',
    score: 0.5 + (shareMax - share) / (2 * shareMax + 1),
    reason: `${observed}; ${inHour} of ${whose} ${total} past calls were in this hour of the week, and next to none at this time on like days.`,
    observed,
    normal: `at least ${percent(shareMax)} of calls in an hour and those next to it`,
    distance: `${percent(share)} of ${total} calls`,
    dedupKey: `hour ${actorKey}`,
    evidence: [call.eventId],
    references,
  };
}

export function describeOffHours(actorKey: string, call: CallFacts, timeMs: number): Finding {
  const observed = `${shown(actorKey)} called ${shown(call.toolKey)} (${call.action}) on ${timeText(timeMs)}`;
  return {
    title: 'Work outside registered hours',
    severity: 'medium',
    score: 0.8,
    reason: `${observed}, which is outside the hours registered for this agent.`,
    observed,
    normal: 'consequential calls within the registered hours only',
    distance: 'outside them',
    dedupKey: `off-hours ${actorKey}`,
    evidence: [call.eventId],
    references,
  };
}

export interface FrequencySeen {
  readonly begun: number;
  readonly usual: number;
  readonly limit: number;
  /** With sessions, learned from. */
  readonly hours: number;
}

export function describeFrequency(
  actorKey: string,
  eventId: string,
  { begun, usual, limit, hours }: FrequencySeen,
): Finding {
  const observed = `${shown(actorKey)} began ${begun} sessions within the hour`;
  const most = Math.floor(limit);
  return {
    title: 'Far more sessions than usual',
    severity: 'low',
    score: 0.4,
    reason: `${observed}; in 99 of 100 of ${hours} hours with sessions it began at most ${usual}, and more than ${most} are told.`,
    observed,
    normal: `at most ${usual} in 99 of 100 hours`,
    distance: `${(begun / Math.max(1, usual)).toFixed(1)} times`,
    dedupKey: `frequency ${actorKey}`,
    evidence: [eventId],
    references,
  };
}

function timeText(timeMs: number): string {
  const hour = hourOfWeek(hourNumber(timeMs));
  const minutes = Math.floor(timeMs / 60_000) % 60;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${days[Math.floor(hour / 24)] ?? ''} at ${two(hour % 24)}:${two(minutes)} UTC`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
