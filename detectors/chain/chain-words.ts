import type { Severity } from '../../schemas/alert.ts';
import type { CallFacts, ContactFacts, Decision, Finding, SourceFacts, ValueFacts } from '../detector.ts';
import { references } from '../references.ts';
import { shown } from '../wording.ts';
import type { ToolStep } from './chain-state.ts';
import type { Evidence } from './evidence.ts';

export interface JudgedChain {
  readonly call: CallFacts;
  readonly from: ToolStep | undefined;
  readonly evidence: Evidence;
  readonly decision: Decision;
  /** Share of the tenant's recent sessions that stayed below. */
  readonly score: number;
  /** Other recent sessions of the tenant it was compared with. */
  readonly sessions: number;
  readonly threshold: number;
  readonly severity: Severity;
}

/** The finding in words: what is new, where it came from, what is usual, and who let it through. */
export function describeChain(judged: JudgedChain): Finding {
  const { call, from, evidence, sessions, score } = judged;
  const tool = shown(call.toolKey);
  const chain = from === undefined ? tool : `${shown(from.key)} → ${tool}`;
  const parts = partsOf(judged, tool, chain);
  const where = evidence.contact?.destination;
  const source = evidence.contact?.source ?? evidence.value?.source;
  return {
    title: titleOf(judged),
    severity: judged.severity,
    score,
    reason: `This call does not fit: ${parts.join('; ')}. ${decisionWords[judged.decision]} Novelty ${score.toFixed(3)}.`,
    observed: `chain ${chain}${where === undefined ? '' : ` to ${shown(where)}`}, ${evidence.bits.toFixed(1)} bits of surprise`,
    normal: `${sessions} recent sessions of this tenant; the score threshold is ${judged.threshold}`,
    distance: `more surprising than ${(score * 100).toFixed(1)} % of the tenant's recent sessions`,
    dedupKey: `chain ${call.toolKey} > ${where ?? evidence.value?.path ?? ''}`,
    evidence: [source, from].flatMap((step) => step?.eventId ?? []).concat(call.eventId),
    references: references['novel-chain'],
  };
}

function partsOf({ evidence, from }: JudgedChain, tool: string, chain: string): string[] {
  const parts: string[] = [];
  const { contact, value } = evidence;
  if (contact !== undefined) parts.push(contactWords(contact, tool));
  if (value !== undefined) parts.push(valueWords(value, tool));
  if (evidence.requestSessions > 0 && evidence.requestBits >= 1)
    parts.push(
      `the same request led to ${tool} in few or none of ${evidence.requestSessions} earlier sessions`,
    );
  if (evidence.instructed) parts.push('that output reads like an instruction to the agent');
  if (evidence.secret) parts.push('the arguments carry a secret');
  if (evidence.newTool) parts.push(`${tool} was never used here`);
  else if (evidence.newStep && from !== undefined) parts.push(`${chain} was never combined here`);
  if (parts.length === 0) parts.push(`${tool} changes rights, moves money or destroys, where that is rare`);
  return parts;
}

function contactWords({ destination, origin, source }: ContactFacts, tool: string): string {
  const from =
    origin === 'output'
      ? `copied from ${sourceWords(source)}`
      : 'named neither in the request nor in any output';
  return `${shown(destination)} was never contacted by this tenant, and ${tool} got it ${origin === 'output' ? from : `from nowhere known (${from})`}`;
}

function valueWords({ path, source }: ValueFacts, tool: string): string {
  return `${shown(path)} of ${tool} has a value this tenant never used, copied from ${sourceWords(source)}`;
}

function sourceWords(source: SourceFacts | undefined): string {
  return source === undefined
    ? 'an earlier output'
    : `the output of ${shown(source.toolKey)} at step ${source.index + 1}, which strangers may have written`;
}

function titleOf({ evidence, decision }: JudgedChain): string {
  const what =
    evidence.contact !== undefined
      ? 'First contact with a destination out of untrusted output'
      : evidence.value !== undefined
        ? 'Consequential call with a new value out of untrusted output'
        : evidence.grave
          ? 'Unusual call that can do harm'
          : 'Novel tool chain';
  return `${what}${titles[decision]}`;
}

const decisionWords: Readonly<Record<Decision, string>> = {
  allow: 'Policy allowed the call.',
  deny: 'Policy denied the call.',
  other: 'Policy let the call through with a warning, a question or a redaction.',
  none: 'The call was executed and no policy decision is known.',
};

const titles: Readonly<Record<Decision, string>> = {
  allow: ', allowed',
  deny: ', denied',
  other: ', let through',
  none: ', executed without a known policy decision',
};
