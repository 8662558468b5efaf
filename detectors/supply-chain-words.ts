import type { CustodyEvent } from '../schemas/event.ts';
import type { Finding } from './detector.ts';
import { aboutSystem } from './about-system.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';
import { ruleScore } from './rule-score.ts';

type Supply = NonNullable<CustodyEvent['supply_chain']>;

/** What is told of a build; plain data, part of the state. */
export interface SupplyFact {
  readonly kind:
    | 'version'
    | 'unapproved'
    | 'flip-flop'
    | 'package-version'
    | 'package'
    | 'lockfile'
    | 'bad-signature'
    | 'unsigned'
    | 'critical'
    | 'deprecated';
  readonly version?: string | undefined;
  readonly before?: string | undefined;
  readonly approved?: readonly string[];
  readonly times?: number;
  readonly count?: number;
  readonly supply?: Supply;
  readonly evidence?: readonly string[];
}

interface Wording {
  readonly title: string;
  readonly severity: Finding['severity'];
  readonly observed: (fact: SupplyFact) => string;
  readonly normal: (fact: SupplyFact) => string;
}

const asBefore = () => 'the same as before, or as the registry approves';

const wordings: Readonly<Record<SupplyFact['kind'], Wording>> = {
  version: {
    title: 'Server version changed',
    severity: 'low',
    observed: ({ version, before }) => `version ${quoted(version)}, before ${quoted(before)}`,
    normal: asBefore,
  },
  unapproved: {
    title: 'Server version that nobody approved',
    severity: 'medium',
    observed: ({ version, before }) =>
      `version ${quoted(version)}${before === undefined ? '' : `, before ${quoted(before)}`}`,
    normal: ({ approved = [] }) => `one of the registry: ${approved.slice(0, 3).map(quoted).join(', ')}`,
  },
  'flip-flop': {
    title: 'Server version goes back and forth',
    severity: 'medium',
    observed: ({ version, before, times }) =>
      `version ${quoted(before)} became ${quoted(version)} again, the ${times ?? 0}th change within a day`,
    normal: () => 'an upgrade goes one way',
  },
  'package-version': {
    title: 'Package version changed',
    severity: 'low',
    observed: ({ version, before, supply }) =>
      `package ${quoted(supply?.package)} ${quoted(version)}, before ${quoted(before)}`,
    normal: asBefore,
  },
  package: {
    title: 'Server made of another package',
    severity: 'medium',
    observed: ({ before, supply }) =>
      `package ${quoted(supply?.package)} with another lockfile, before ${quoted(before)}`,
    normal: asBefore,
  },
  lockfile: {
    title: 'Dependencies changed under the same version',
    severity: 'medium',
    observed: ({ version }) =>
      `another lockfile digest${version === undefined ? '' : ` for version ${quoted(version)}`}`,
    normal: () => 'one version has one set of dependencies',
  },
  'bad-signature': {
    title: 'Package with a bad signature',
    severity: 'high',
    observed: () => 'a signature that does not match the package',
    normal: () => 'a signature that verifies',
  },
  unsigned: {
    title: 'Unsigned package where a signature is required',
    severity: 'high',
    observed: () => 'no signature',
    normal: () => 'the registry requires a signature for this server',
  },
  critical: {
    title: 'Critical findings in a server that is in use',
    severity: 'medium',
    observed: ({ count, supply }) =>
      `${count ?? 0} critical findings${supply?.package === undefined ? '' : ` in ${quoted(supply.package)} ${quoted(supply.package_version)}`}`,
    normal: () => 'none in servers that agents call',
  },
  deprecated: {
    title: 'Deprecated package in use',
    severity: 'low',
    observed: ({ supply }) =>
      `${quoted(supply?.package)} ${quoted(supply?.package_version)} is deprecated by its makers`,
    normal: () => 'packages that somebody still maintains',
  },
};

const blamesSession = new Set<SupplyFact['kind']>(['unapproved', 'bad-signature', 'unsigned']);

/** The finding in words; names and versions come from outside. */
export function describeSupply({ server }: CustodyEvent, fact: SupplyFact): Finding {
  const wording = wordings[fact.kind];
  const observed = wording.observed(fact);
  const normal = wording.normal(fact);
  const name = server?.name === undefined ? 'A package' : `Server ${shown(server.name)}`;
  return {
    title: wording.title,
    severity: wording.severity,
    score: ruleScore[wording.severity],
    reason: `${name}: ${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: 'not as it was reviewed',
    dedupKey: `${fact.kind} ${server?.name ?? ''} ${fact.supply?.package ?? ''} ${fact.version ?? ''}`,
    ...(fact.evidence === undefined ? {} : { evidence: fact.evidence }),
    // Who uses what is known to be bad must not teach what is normal; a change alone says nothing about the session.
    ...(blamesSession.has(fact.kind) ? {} : { about: aboutSystem(server?.name) }),
    references: references['supply-chain'],
  };
}

function quoted(text: string | undefined): string {
  return text === undefined || text === '' ? 'of no name' : shown(text);
}
