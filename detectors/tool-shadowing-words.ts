import type { Holder } from './content/name-table.ts';
import type { Finding } from './detector.ts';
import { contentReferences } from './references-content.ts';
import { shown } from './wording.ts';

/** Two servers' tools that can be taken for each other. */
export interface Shadow {
  readonly first: Holder;
  readonly second: Holder;
  /** Their names are the same, letter by letter. */
  readonly same: boolean;
  /** One has letters that are not what they look like. */
  readonly disguised: boolean;
  readonly sameDefinition: boolean;
  /** The second came when the first was established. */
  readonly late: boolean;
  /** The first server is registered, the second is not. */
  readonly outsider: boolean;
}

const references = contentReferences['tool-shadowing'];

export function describeShadow(shadow: Shadow, severity: Finding['severity']): Finding {
  const { first, second, same, disguised, sameDefinition, late, outsider } = shadow;
  const how = same ? 'has the name of' : disguised ? 'looks like' : 'is hard to tell from';
  const observed = `${nameOf(second)} ${how} ${nameOf(first)}, and one agent sees both`;
  const notes = [
    ...(disguised ? ['it has letters of another alphabet or none that can be seen'] : []),
    ...(sameDefinition ? ['their definitions are the same'] : []),
    ...(late ? ['it came when the other was established'] : []),
    ...(outsider ? [`server ${shown(second.server)} is not registered`] : []),
  ];
  return {
    title: same ? 'Two servers with one tool name' : 'Tool names that look alike',
    severity,
    score: severity === 'high' ? 0.97 : severity === 'medium' ? 0.85 : 0.4,
    reason: `${[observed, ...notes].join('; ')}. The model may call one for the other.`,
    observed,
    normal: 'the tools an agent sees have names that cannot be mistaken',
    distance: same ? 'the same name' : 'one letter, case, separators or look-alike letters',
    dedupKey: `${first.server} ${first.tool} ${second.server} ${second.tool}`,
    evidence: [first.eventId, second.eventId],
    references,
  };
}

export function describePoison(facts: {
  readonly server: string;
  readonly tool: string;
  readonly text: string;
  /** It tells the model what to do. */
  readonly orders: boolean;
  /** Another server's tool that it names. */
  readonly named: Holder | undefined;
}): Finding {
  const { server, tool, text, orders, named } = facts;
  const does = [
    ...(orders ? ['tells the model what to do'] : []),
    ...(named === undefined ? [] : [`speaks of ${nameOf(named)}`]),
  ].join(' and ');
  const observed = `the description of ${shown(`${server}/${tool}`)} ${does}`;
  return {
    title: orders
      ? 'Tool description gives orders to the model'
      : "Tool description speaks of another server's tool",
    severity: orders ? 'high' : 'medium',
    score: orders ? 0.97 : 0.85,
    reason: `The description of ${shown(`${server}/${tool}`)} ${does}: "${shown(text, 300)}".`,
    observed,
    normal: 'a description says what its own tool does',
    distance: orders && named !== undefined ? 'both' : 'one of two signs',
    dedupKey: `text ${server} ${tool}`,
    ...(named === undefined ? {} : { evidence: [named.eventId] }),
    references,
  };
}

function nameOf({ server, tool }: Holder): string {
  return shown(`${server}/${tool}`);
}
