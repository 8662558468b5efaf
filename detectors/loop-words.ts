import type { Finding } from './detector.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

export type LoopKind =
  'identical' | 'cycle' | 'same-tool' | 'errors' | 'long-errors' | 'retries' | 'plan-depth';

interface Wording {
  readonly title: string;
  readonly severity: Finding['severity'];
  readonly observed: (count: number, name: string) => string;
  readonly normal: (limit: number) => string;
}

const wordings: Readonly<Record<LoopKind, Wording>> = {
  identical: {
    title: 'Identical calls in a row',
    severity: 'medium',
    observed: (count, name) => `${count} calls of ${name} with identical arguments in a row`,
    normal: (limit) => `fewer than ${limit} identical calls in a row`,
  },
  cycle: {
    title: 'Cycle of calls',
    severity: 'medium',
    observed: (count, name) => `the cycle ${name} ran ${count} times with identical arguments`,
    normal: (limit) => `the same cycle fewer than ${limit} times`,
  },
  'same-tool': {
    title: 'One tool again and again without progress',
    severity: 'medium',
    observed: (count, name) => `${count} calls of ${name} in a row without a new result`,
    normal: (limit) => `a new result within ${limit} calls`,
  },
  errors: {
    title: 'Run of failed calls',
    severity: 'low',
    observed: (count, name) => `${count} failed calls of ${name} in a row`,
    normal: (limit) => `fewer than ${limit} failures in a row`,
  },
  'long-errors': {
    title: 'Long run of failed calls',
    severity: 'medium',
    observed: (count, name) => `${count} failed calls of ${name} in a row`,
    normal: (limit) => `fewer than ${limit} failures in a row`,
  },
  retries: {
    title: 'Retry limit exceeded',
    severity: 'medium',
    observed: (count, name) => `retry ${count}${name === '' ? '' : ` of ${name}`}`,
    normal: (limit) => `at most ${limit} retries`,
  },
  'plan-depth': {
    title: 'Plan depth exceeded',
    severity: 'medium',
    observed: (count) => `plan depth ${count}`,
    normal: (limit) => `at most ${limit}`,
  },
};

/** The finding in words. `name` is the tool, or the tools of the cycle. */
export function describeLoop(
  kind: LoopKind,
  count: number,
  limit: number,
  name: string,
  evidence: readonly string[],
): Finding {
  const wording = wordings[kind];
  const observed = wording.observed(count, shown(name, 200));
  const normal = wording.normal(limit);
  return {
    title: wording.title,
    severity: wording.severity,
    score: count / (count + limit),
    reason: `The session shows ${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: `${(count / limit).toFixed(1)} times the limit`,
    dedupKey: `${kind} ${kind === 'cycle' ? [...name.split(' → ')].sort().join(' ') : name}`,
    evidence,
    references: references.loop,
  };
}

/** A session of many calls; `sessions` is how many taught the limit, 0 while it is the configured one. */
export function describeDepth(calls: number, limit: number, sessions: number): Finding {
  const observed = `${calls} calls in one session`;
  const normal =
    sessions === 0
      ? `at most ${limit}`
      : `at most ${limit}, as in 999 of 1000 of ${sessions} recent sessions`;
  return {
    title: 'Session far longer than others',
    severity: 'low',
    score: calls / (calls + limit),
    reason: `There were ${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: 'beyond the longest usual session',
    dedupKey: 'depth',
    references: references.loop,
  };
}

/** Many calls that bring little: they cost the same. */
export function describeSpending(
  calls: number,
  news: number,
  limit: number,
  p99: number | undefined,
): Finding {
  const observed = `${calls} calls in one session, of which ${news} brought a new result`;
  const normal = `at most ${limit} calls${p99 === undefined ? '' : `, 99 of 100 sessions have up to ${p99}`}`;
  return {
    title: 'Long session without progress',
    severity: 'medium',
    score: calls / (calls + limit),
    reason: `There were ${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: `${(calls / limit).toFixed(1)} times the limit`,
    dedupKey: 'spending',
    references: references.loop,
  };
}

/** Retries of one actor over several sessions. */
export function describeRetryFlood(
  actor: string,
  retries: number,
  tookMs: number,
  withinMs: number,
  evidence: readonly string[],
): Finding {
  const observed = `${retries} retries of ${shown(actor)} in ${Math.ceil(tookMs / 1000)} s over several sessions`;
  return {
    title: 'Flood of retries over several sessions',
    severity: 'medium',
    score: 0.7,
    reason: `There were ${observed}; normal is fewer than ${retries} in ${withinMs / 1000} s.`,
    observed,
    normal: `fewer than ${retries} in ${withinMs / 1000} s`,
    distance: `${(withinMs / Math.max(1000, tookMs)).toFixed(1)} times the rate allowed`,
    dedupKey: `flood ${actor}`,
    evidence: evidence.slice(-16),
    references: references.loop,
  };
}
