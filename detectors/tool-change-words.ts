import type { Definition } from './content/tool-pins.ts';
import type { CallFacts, Finding } from './detector.ts';
import { contentReferences } from './references-content.ts';
import { capital, cutText, shown } from './wording.ts';

/** One tool whose definition is not what it was. */
export interface Change {
  readonly server: string;
  readonly tool: string;
  readonly parts: readonly (keyof Definition)[];
  readonly before: Definition | undefined;
  readonly now: Definition;
  /** Descriptions, redacted. */
  readonly beforeText: string;
  readonly nowText: string;
  /** It was so before: somebody switches back and forth. */
  readonly flip: boolean;
  /** The new text has a form of attack that the old one had not. */
  readonly shaped: boolean;
  readonly approved: boolean | undefined;
  /** The server's own version before and now, when that changed too. */
  readonly versions: readonly [string, string] | undefined;
  readonly evidence: string | undefined;
  readonly severity: Finding['severity'];
}

const references = contentReferences['tool-change'];
const normal = 'a tool keeps the definition that was first seen or approved';
const maxWords = 12;

export function describeChange(change: Change): Finding {
  const { server, tool, parts, before, now, flip, shaped, approved, versions, severity } = change;
  const name = nameOf(server, tool);
  const what = parts.map((part) => (part === 'whole' ? 'definition' : part)).join(' and ');
  const digests = parts.map(
    (part) => `${(before?.[part] ?? 'none').slice(0, 12)} → ${(now[part] ?? 'none').slice(0, 12)}`,
  );
  const observed =
    before === undefined
      ? `the definition of ${name} (${(now.whole ?? '').slice(0, 12)}) is none of those that were approved`
      : `the ${what} of ${name} changed ${flip ? 'back to an earlier one ' : ''}(${digests.join(', ')})`;
  const notes = [
    ...(shaped ? ['the new text speaks to the model'] : []),
    ...(flip
      ? [
          'it was so before: definitions that switch back and forth show one thing to reviewers and another to agents',
        ]
      : []),
    ...(approved === false && before !== undefined ? ['nobody has approved it'] : []),
    ...(versions === undefined
      ? []
      : [`the server went from version ${shown(versions[0], 40)} to ${shown(versions[1], 40)}`]),
  ];
  const difference = parts.includes('description') ? differenceText(change.beforeText, change.nowText) : '';
  return {
    title: flip
      ? 'Tool definition switches back and forth'
      : before === undefined
        ? 'Tool definition not approved'
        : 'Tool definition changed',
    severity,
    score: scoreOf(severity),
    reason: `${[capital(observed), ...notes].join('; ')}.${difference}`,
    observed,
    normal,
    distance: `${parts.length} of 3 parts`,
    dedupKey: `${flip ? 'flip' : 'change'} ${name} ${now.whole ?? digests.join(' ')}`,
    ...(change.evidence === undefined ? {} : { evidence: [change.evidence] }),
    references,
  };
}

/** Further changes told by the same event. */
export function describeMany(changes: readonly Change[], severity: Finding['severity']): Finding {
  const names = changes.slice(0, 8).map(({ server, tool }) => nameOf(server, tool));
  const observed = `${changes.length} more definitions changed: ${names.join(', ')}${changes.length > 8 ? ' …' : ''}`;
  return {
    title: 'Many tool definitions changed',
    severity,
    score: scoreOf(severity),
    reason: `${capital(observed)}.`,
    observed,
    normal,
    distance: `${changes.length} tools at once`,
    dedupKey: `many ${changes[0]?.server ?? ''} ${changes.length}`,
    references,
  };
}

export function describeFirstSight(server: string, count: number): Finding {
  const observed = `${count} tools of ${server === '' ? 'a server without a name' : shown(server)} were seen for the first time`;
  return {
    title: 'Tools pinned on first sight',
    severity: 'info',
    score: 0,
    reason: `${capital(observed)}; learning: what they are now is what they are expected to stay.`,
    observed,
    normal,
    distance: 'nothing to compare with yet',
    dedupKey: `first ${server}`,
    references,
  };
}

export function describeMoved(
  kind: 'added' | 'removed' | 'renamed',
  server: string,
  tools: readonly string[],
  rename?: {
    readonly severity: Finding['severity'];
    readonly beforeText: string;
    readonly nowText: string;
    readonly evidence: string | undefined;
  },
): Finding {
  const names = tools.slice(0, 8).map((tool) => nameOf(server, tool));
  const more = tools.length > 8 ? ` and ${tools.length - 8} more` : '';
  const observed =
    kind === 'renamed'
      ? `${names[0] ?? ''} is now called ${names[1] ?? ''}, with the same inputs`
      : `${names.join(', ')}${more} ${tools.length === 1 ? 'was' : 'were'} ${kind}`;
  const severity = rename?.severity ?? 'low';
  return {
    title: { added: 'Tool added', removed: 'Tool removed', renamed: 'Tool renamed' }[kind],
    severity,
    score: scoreOf(severity),
    reason: `${capital(observed)}.${rename === undefined ? '' : differenceText(rename.beforeText, rename.nowText)}`,
    observed,
    normal: 'a server offers the same tools under the same names',
    distance: `${kind === 'renamed' ? 1 : tools.length} tools`,
    dedupKey: `${kind} ${server} ${tools.slice(0, 8).join(' ')}`,
    ...(rename?.evidence === undefined ? {} : { evidence: [rename.evidence] }),
    references,
  };
}

export function describeWeakened(toolKey: string, weakened: readonly string[], evidence: string): Finding {
  const observed = `${shown(toolKey)} is ${weakened.join(' and ')} by its server's word`;
  return {
    title: 'Tool called harmless that was called dangerous',
    severity: 'high',
    score: scoreOf('high'),
    reason: `${observed}. Clients ask people before dangerous calls only.`,
    observed,
    normal: 'the hints of a tool do not get weaker',
    distance: `${weakened.length} hints`,
    dedupKey: `weakened ${toolKey}`,
    evidence: [evidence],
    references,
  };
}

export function describeUse(call: CallFacts, agents: number, digest: string, evidence: string): Finding {
  const observed = `${shown(call.toolKey)} was called by ${agents} ${agents === 1 ? 'agent' : 'agents'} after the change of its definition`;
  return {
    title: 'Changed tool in use',
    severity: 'low',
    score: agents / (agents + 4),
    reason: `${observed} (now ${digest}).`,
    observed,
    normal: 'a changed tool is looked at before it is used',
    distance: `${agents} agents`,
    dedupKey: `use ${call.toolKey} ${digest} ${agents}`,
    evidence: [evidence],
    references,
  };
}

/** Words that are new and words that are gone, at most a dozen each. */
function differenceText(before: string, now: string): string {
  if (before === now || (before === '' && now === '')) return '';
  const [old, fresh] = [wordsOf(before), wordsOf(now)];
  const added = [...fresh].filter((word) => !old.has(word));
  const removed = [...old].filter((word) => !fresh.has(word));
  const list = (words: readonly string[]) =>
    shown(cutText(words.slice(0, maxWords).join(' '), 300), 300) + (words.length > maxWords ? ' …' : '');
  const parts = [
    ...(added.length > 0 ? [`Words added: ${list(added)}.`] : []),
    ...(removed.length > 0 ? [`Words removed: ${list(removed)}.`] : []),
  ];
  return parts.length === 0 ? '' : ` ${parts.join(' ')}`;
}

function wordsOf(text: string): Set<string> {
  const words = text.split(/\s+/).map((word) => word.replace(/^["'(]+|[.,;:!?"')]+$/g, ''));
  return new Set(words.filter((word) => word !== ''));
}

const scores: Readonly<Record<Finding['severity'], number>> = {
  info: 0,
  low: 0.4,
  medium: 0.85,
  high: 0.97,
  critical: 1,
};
const scoreOf = (severity: Finding['severity']) => scores[severity];

function nameOf(server: string, tool: string): string {
  return shown(server === '' ? tool : `${server}/${tool}`);
}
