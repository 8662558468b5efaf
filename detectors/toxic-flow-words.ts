import type { CallFacts, Finding, SourceFacts } from './detector.ts';
import { contentReferences } from './references-content.ts';
import { shown } from './wording.ts';

/** Forms of results that want something: of the model, of whoever reads it, or credentials. */
export const instructionForms = ['instruction', 'credential_prompt', 'imperative'] as const;

/** A result that wants something. */
export interface Instruction {
  readonly index: number;
  readonly eventId: string;
  readonly toolKey: string;
  readonly server: string | undefined;
  readonly untrusted: boolean;
  readonly form: (typeof instructionForms)[number];
}

export type FlowKind = 'instructed' | 'phished' | 'lured' | 'requested' | 'rule-of-two' | 'after';

export interface FlowFacts {
  readonly call: CallFacts;
  readonly by: Instruction | undefined;
  readonly flow: { readonly what: string; readonly source: SourceFacts } | undefined;
  readonly sensitive?: readonly string[];
}

const titles: Readonly<Record<FlowKind, string>> = {
  instructed: 'The agent did what a result told it',
  phished: 'Credentials given where a result asked for them',
  requested: "A stranger's request decided a call",
  lured: 'Sensitive data sent where a stranger pointed',
  'rule-of-two': 'Untrusted input, sensitive data and an action outside in one session',
  after: 'Powerful call after a result that gave instructions',
};

const scores: Readonly<Record<FlowKind, number>> = {
  instructed: 0.98,
  phished: 0.95,
  lured: 0.97,
  requested: 0.85,
  'rule-of-two': 0.6,
  after: 0.4,
};

const normals: Readonly<Record<FlowKind, string>> = {
  instructed: 'what a result tells the model to do decides no call',
  phished: 'credentials come from who asked the agent, not from an earlier result',
  requested: 'dangerous calls and new places come from who asked the agent',
  lured: 'sensitive data goes to places the tenant knows or the user named',
  'rule-of-two': 'a session has at most two of untrusted input, sensitive data and an action outside',
  after: 'results hold data, not instructions to the model',
};

/** The finding in words. */
export function describeFlow(kind: FlowKind, severity: Finding['severity'], facts: FlowFacts): Finding {
  const { call, by, flow } = facts;
  const observed = observedText(kind, facts);
  const steps = flow === undefined ? call.index - (by?.index ?? call.index) : call.index - flow.source.index;
  const evidence = [by?.eventId, flow?.source.eventId].filter((id) => id !== undefined);
  return {
    title: titles[kind],
    severity,
    score: scores[kind],
    reason: `${observed}. Normal: ${normals[kind]}.`,
    observed,
    normal: normals[kind],
    distance: `${steps} calls after the result`,
    dedupKey: `${kind} ${call.toolKey}`,
    evidence,
    references: contentReferences['toxic-flow'],
  };
}

function observedText(kind: FlowKind, { call, by, flow, sensitive = [] }: FlowFacts): string {
  const tool = `${shown(call.toolKey)} (call ${call.index + 1})`;
  const read = by === undefined ? '' : `the result of ${shown(by.toolKey)} (call ${by.index + 1})`;
  switch (kind) {
    case 'instructed':
      return `${tool}${powerText(call)} took ${shown(flow?.what ?? '', 128)} from ${read}, which holds text that tells the model what to do`;
    case 'phished':
      return `${tool} took ${shown(flow?.what ?? '', 128)} from the result of ${shown(flow?.source.toolKey ?? '')}, which showed sensitive data, after ${read} asked for credentials`;
    case 'requested':
      return `${tool}${powerText(call)} took ${shown(flow?.what ?? '', 128)} from ${read} (untrusted), which asks for something to be done`;
    case 'lured':
      return `${tool} sent ${sensitive.slice(0, 4).join(', ')} to ${shown(flow?.what ?? '')}, which no session used before and which came from the result of ${shown(flow?.source.toolKey ?? '')} (untrusted)`;
    case 'rule-of-two':
      return `${tool} acts outside after ${read}, which strangers may have written, and after ${shown(flow?.source.toolKey ?? '')} showed sensitive data${flow?.what === '' ? '' : `, of which ${shown(flow?.what ?? '', 128)} is part of the arguments`}`;
    case 'after':
      return `${tool}${powerText(call)} follows ${read}, which holds text that tells the model what to do`;
  }
}

function powerText({ traits }: CallFacts): string {
  const powers = [
    ...(traits.destructive ? ['destructive'] : []),
    ...(traits.privileged ? ['privileged'] : []),
    ...(traits.egress ? ['sends out'] : []),
  ];
  return powers.length === 0 ? '' : `, ${powers.join(', ')},`;
}
