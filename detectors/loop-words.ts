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
