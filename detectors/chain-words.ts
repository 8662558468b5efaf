import type { Severity } from '../schemas/alert.ts';
import { chainClass, type ChainItem } from './chain-items.ts';
import type { CallFacts, Decision, Finding } from './detector.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

export interface JudgedChain {
  readonly call: CallFacts;
  readonly decision: Decision;
  readonly novel: readonly ChainItem[];
  readonly bits: number;
  readonly score: number;
  /** Other recent sessions of the tenant it was compared with. */
  readonly sessions: number;
  readonly threshold: number;
  readonly severity: Severity;
}

/** The finding in words: what was combined, in how many sessions here, and who let it through. */
export function describeChain(judged: JudgedChain): Finding {
  const { call, novel, sessions, score } = judged;
  const tool = shown(call.toolKey);
  const of = (itemClass: number) => novel.filter((item) => item.itemClass === itemClass);
  const earlier = [...of(chainClass.bigram), ...of(chainClass.pair)];
  const from = earlier[0];
  const contact = of(chainClass.destination)[0] ?? of(chainClass.toolDestination)[0];
  const parts: string[] = [];
  if (of(chainClass.tool).length > 0)
    parts.push(
      `tool ${tool}${from === undefined ? '' : `, here after ${shown(from.other ?? '')},`} was never used`,
    );
  else if (from !== undefined) parts.push(`${shown(from.other ?? '')} → ${tool} was never combined`);
  if (contact !== undefined)
    parts.push(
      `${shown(contact.other ?? '')} was never a destination${contact.itemClass === chainClass.toolDestination ? ` of ${tool}` : ''}`,
    );
  const chain = from === undefined ? tool : `${shown(from.other ?? '')} → ${tool}`;
  return {
    title: titles[judged.decision],
    severity: judged.severity,
    score,
    reason: `In ${sessions} recent sessions of this tenant ${parts.join(' and ')}. ${decisionWords[judged.decision]} Novelty ${score.toFixed(3)}.`,
    observed: `chain ${chain}${contact === undefined ? '' : ` to ${shown(contact.other ?? '')}`}, ${judged.bits.toFixed(1)} bits of surprise`,
    normal: `0 of ${sessions} recent sessions here had it; the score threshold is ${judged.threshold}`,
    distance: `more surprising than ${(score * 100).toFixed(1)} % of the tenant's recent sessions`,
    dedupKey: `chain ${from?.other ?? ''} > ${call.toolKey} > ${contact?.other ?? ''}`,
    evidence: [...new Set(earlier.flatMap(({ evidence }) => evidence ?? []))].concat(call.eventId),
    references: references['novel-chain'],
  };
}

const decisionWords: Readonly<Record<Decision, string>> = {
  allow: 'Policy allowed the call.',
  deny: 'Policy denied the call.',
  other: 'Policy let the call through with a warning, a question or a redaction.',
  none: 'The call was executed and no policy decision is known.',
};

const titles: Readonly<Record<Decision, string>> = {
  allow: 'Novel tool chain allowed',
  deny: 'Novel tool chain denied',
  other: 'Novel tool chain let through',
  none: 'Novel tool chain executed without a known policy decision',
};
