import type { Finding } from './detector.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

export type DuplicateKind = 'key' | 'key-same-result' | 'retry-done' | 'retry';

const titles: Readonly<Record<DuplicateKind, string>> = {
  key: 'One idempotency key done twice',
  'key-same-result': 'One idempotency key answered twice',
  'retry-done': 'Change tried again without an idempotency key',
  retry: 'Change tried again without an idempotency key',
};

const severities: Readonly<Record<DuplicateKind, Finding['severity']>> = {
  key: 'medium',
  // The server may have answered from memory, which is what keys are for.
  'key-same-result': 'low',
  'retry-done': 'medium',
  retry: 'low',
};

/** The finding in words; `sinceMs` is the time since the earlier attempt, where one was seen. */
export function describeDuplicate(
  kind: DuplicateKind,
  toolKey: string,
  key: string | undefined,
  sinceMs: number | undefined,
  evidence: readonly string[],
  retryCount = 0,
): Finding {
  const tool = shown(toolKey, 200);
  const after =
    sinceMs === undefined ? '' : ` ${Math.round(Math.abs(sinceMs) / 100) / 10} s after the first attempt`;
  const byKey = kind === 'key' || kind === 'key-same-result';
  const observed = byKey
    ? `two calls of ${tool} succeeded under one idempotency key${kind === 'key' ? ' with different results' : ' with the same result'}, the second${after.replace('the first attempt', 'the first')}`
    : `${tool} was called again${after === '' ? '' : after}${retryCount > 0 ? ` as retry ${retryCount}` : ''} without an idempotency key${kind === 'retry-done' ? ', and succeeded' : ''}`;
  const normal = byKey
    ? 'one call succeeds under a key'
    : 'a change is tried again under the idempotency key of its first attempt';
  return {
    title: titles[kind],
    severity: severities[kind],
    score: severities[kind] === 'medium' ? 0.7 : 0.4,
    reason: `In the session, ${observed}; normal is that ${normal}. The change may have been made twice.`,
    observed,
    normal,
    distance: byKey ? '2 instead of 1' : 'no key',
    dedupKey: `${byKey ? 'key' : 'retry'} ${kind} ${toolKey} ${key ?? evidence[0] ?? ''}`,
    evidence,
    references: references['duplicate-mutation'],
  };
}
