import { aboutSystem } from './about-system.ts';
import type { Silent } from './counters/silence.ts';
import type { Finding, FindingSubject } from './detector.ts';
import { references } from './references.ts';
import type { Hole } from './sequence-tracks.ts';
import { shown, spanText } from './wording.ts';

export function describeHole(source: string, hole: Hole, nowMs: number): Finding {
  const count = hole.to - hole.from + 1;
  const numbers =
    count === 1 ? `number ${hole.from}` : `numbers ${hole.from} to ${hole.to} (${count} records)`;
  const observed = `${numbers} of source ${shown(source, 200)} ${count === 1 ? 'has' : 'have'} not come for ${spanText(nowMs - hole.sinceMs)}`;
  return {
    title: 'Records missing in a source',
    severity: count >= 100 ? 'high' : 'medium',
    score: count / (count + 1),
    reason: `${observed}; the ${hole.seenBefore} before came one after the other. They were lost or held back before they reached the log.`,
    observed,
    normal: 'every number comes, at most a little out of order',
    distance: `${count} missing`,
    dedupKey: `hole ${source} ${hole.from}`,
    evidence: [hole.beforeId, hole.afterId],
    about: aboutSystem(),
    references: references['audit-blindness'],
  };
}

export function describeSilentSource(silent: Silent): Finding {
  const { name, silentMs, usualGapMs, othersSince, usualOthers, perDay, eventId } = silent;
  const observed = `source ${shown(name, 200)} has told nothing for ${spanText(silentMs)}, while others told ${othersSince} records`;
  const normal = `99 of 100 gaps in it are below ${spanText(usualGapMs)} and ${usualOthers} records of others; it has about ${perDay} records a day`;
  return {
    title: 'Source silent while others go on',
    severity: 'medium',
    score: 0.7,
    reason: `Now ${observed}; normal is that ${normal}.`,
    observed,
    normal,
    distance: `${(silentMs / usualGapMs).toFixed(1)} times the usual gap`,
    dedupKey: `silent ${name} ${eventId}`,
    evidence: [eventId],
    about: aboutSystem(),
    references: references['audit-blindness'],
  };
}

export function describeAttribution(
  percent: number,
  usual: number,
  calls: number,
  usualCalls: number,
): Finding {
  const observed = `${percent} % of the last ${calls} calls name agent and user`;
  const normal = `${usual} % of ${usualCalls} calls do`;
  return {
    title: 'Calls name agent and user less and less',
    severity: 'medium',
    score: (usual - percent) / 100,
    reason: `Only ${observed}; normal is that ${normal}. Who did what can no longer be told.`,
    observed,
    normal,
    distance: `${usual - percent} points lower`,
    dedupKey: 'attribution',
    about: aboutSystem(),
    references: references['audit-blindness'],
  };
}

export function describeSkew(
  source: string,
  isAhead: boolean,
  byMs: number,
  limitMs: number,
  records: number,
  evidence: readonly string[],
): Finding {
  const observed = `the last ${records} records of source ${shown(source, 200)} are at least ${spanText(byMs)} ${isAhead ? 'ahead of' : 'behind'} the collector's clock`;
  return {
    title: isAhead ? 'Clock of a source is ahead' : 'Clock of a source is behind',
    severity: isAhead ? 'medium' : 'low',
    score: byMs / (byMs + limitMs),
    reason: `By their own word ${observed}; normal is less than ${spanText(limitMs)}. The order of what happened cannot be trusted.`,
    observed,
    normal: `less than ${spanText(limitMs)}`,
    distance: `${(byMs / limitMs).toFixed(1)} times the limit`,
    dedupKey: `clock ${source}`,
    evidence,
    about: aboutSystem(),
    references: references['audit-blindness'],
  };
}

export function describeSampling(source: string, percent: number, usual: number, records: number): Finding {
  const observed = `${percent} % of the last ${records} records of source ${shown(source, 200)} belong to traces that are not sampled`;
  return {
    title: 'Sampling leaves out audit data',
    severity: 'low',
    score: percent / 100,
    reason: `Now ${observed}; normal is ${usual} %. Other records of these traces are not kept.`,
    observed,
    normal: `${usual} %`,
    distance: `${percent - usual} points higher`,
    dedupKey: `sampling ${source}`,
    about: aboutSystem(),
    references: references['audit-blindness'],
  };
}

/** Of `total` calls of the server, `both` were told by the caller and by what stands before the server. */
export function describeBypass(
  server: string,
  eventId: string,
  about: FindingSubject,
  both: number,
  total: number,
): Finding {
  const tool = about.toolName === undefined ? 'a tool' : shown(about.toolName, 120);
  const observed = `a call of ${tool} of server ${shown(server)} that only the agent's side tells of`;
  const normal = `${Math.floor((1000 * both) / total) / 10} % of ${total} calls of this server are also told by a gateway, tap or the server`;
  return {
    title: 'Call past what records calls',
    severity: 'medium',
    score: 0.7,
    reason: `In the session there is ${observed}; normal is that ${normal}.`,
    observed,
    normal,
    distance: 'the other view is missing',
    dedupKey: `bypass ${server} ${eventId}`,
    evidence: [eventId],
    about,
    references: references['audit-blindness'],
  };
}
