import { hasConsequences } from './call-outcome.ts';
import type { CallFacts, Finding } from './detector.ts';
import { accessReferences } from './references-access.ts';
import { capital, shown } from './wording.ts';

export interface Violation {
  readonly kind:
    | 'disabled-tool'
    | 'client-server'
    | 'client-tool'
    | 'client-environment'
    | 'agent-server'
    | 'agent-tool'
    | 'agent-environment'
    | 'server-environment'
    | 'denied-destination'
    | 'unlisted-destination';
  /** Names from outside. */
  readonly who: string;
  readonly what: string;
}

const titles: Readonly<Record<Violation['kind'], string>> = {
  'disabled-tool': 'Disabled tool called',
  'client-server': 'Client used a server it may not use',
  'client-tool': 'Client used a tool it may not use',
  'client-environment': 'Client outside its environment',
  'agent-server': 'Agent used a server it may not use',
  'agent-tool': 'Agent used a tool it may not use',
  'agent-environment': 'Agent outside its environment',
  'server-environment': 'Server outside its environment',
  'denied-destination': 'Denied destination',
  'unlisted-destination': 'Destination that is not on the list',
};

/** The finding in words; `isExcepted`: a registered ticket covers it; `isLast`: more like it are held back for a while. */
export function describeViolation(
  { kind, who, what }: Violation,
  call: CallFacts,
  key: string,
  isExcepted: boolean,
  isLast: boolean,
): Finding {
  const [observed, normal] = sentence(kind, shown(who), shown(what));
  const tool = shown(call.toolKey);
  const held = isLast ? ' There were many: more are held back for about an hour.' : '';
  return {
    title: titles[kind],
    severity: isExcepted ? 'low' : isGrave(kind, call) ? 'high' : 'medium',
    score: isExcepted ? 0.4 : isGrave(kind, call) ? 0.95 : 0.8,
    reason: `${capital(observed)} (call ${call.index + 1} of the session, ${tool}); ${normal}.${isExcepted ? ' A registered ticket covers it.' : ''}${held}`,
    observed,
    normal,
    distance: 'outside the set',
    dedupKey: key,
    evidence: [call.eventId],
    references: accessReferences['allowed-set'],
  };
}

function isGrave(kind: Violation['kind'], call: CallFacts): boolean {
  if (kind === 'disabled-tool') return true;
  return kind !== 'unlisted-destination' && hasConsequences(call);
}

function sentence(kind: Violation['kind'], who: string, what: string): [string, string] {
  switch (kind) {
    case 'disabled-tool':
      return [`tool ${what} was called`, 'the registry has disabled it'];
    case 'client-server':
    case 'client-tool':
      return [`client ${who} used ${what}`, 'the registry allows this client other ones only'];
    case 'agent-server':
    case 'agent-tool':
      return [`agent ${who} used ${what}`, 'the registry allows this agent other ones only'];
    case 'client-environment':
    case 'agent-environment':
    case 'server-environment':
      return [`${who} was used in environment ${what}`, 'the registry has it in other environments only'];
    case 'denied-destination':
      return [`${who} reached ${what}`, 'the registry denies this destination'];
    case 'unlisted-destination':
      return [`${who} reached ${what}`, 'the registry names all destinations, and this is none of them'];
  }
}
