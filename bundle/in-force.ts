import type { CaseEntry } from './case-data.ts';

/** Where an entry is. */
interface Place {
  readonly log: string;
  readonly seq: string;
}

interface Seen<Facts> {
  readonly facts: Facts;
  count: number;
  readonly first: Place;
  last: Place;
}

/** Distinct things kept of each kind; senders choose their names. */
const DISTINCT_MAX = 10_000;

interface PolicyFacts {
  readonly rule?: string | undefined;
  readonly version?: string | undefined;
  readonly decision?: string | undefined;
}
interface ToolFacts {
  readonly server?: string | undefined;
  readonly server_version?: string | undefined;
  readonly tool: string;
  readonly definition_digest: string;
  /** `listed`: a server offered it. `called`: a call named it. */
  readonly seen: 'listed' | 'called';
}

export interface InForce {
  push(entry: CaseEntry): void;
  /** Text of data/policies.json. */
  policies(): string;
  /** Text of data/tools.json. */
  tools(): string;
  /** Whether there were more than are kept. */
  readonly cut: boolean;
}

/**
 * What applied during the case as the entries tell it: policy rules with their versions and decisions, detectors that
 * raised alerts, digests of the tool definitions that were offered and called.
 */
export function createInForce(): InForce {
  const rules = new Map<string, Seen<PolicyFacts>>();
  const detectors = new Map<string, Seen<{ readonly id: string; readonly version: number }>>();
  const tools = new Map<string, Seen<ToolFacts>>();
  let cut = false;

  function note<Facts>(into: Map<string, Seen<Facts>>, facts: Facts, { log, seq }: CaseEntry): void {
    const key = JSON.stringify(facts);
    const place = { log, seq: String(seq) };
    const seen = into.get(key);
    if (seen !== undefined) {
      seen.count += 1;
      seen.last = place;
    } else if (into.size < DISTINCT_MAX) into.set(key, { facts, count: 1, first: place, last: place });
    else cut = true;
  }

  return {
    get cut() {
      return cut;
    },
    push(entry) {
      const { event, alert } = entry;
      if (alert !== undefined) note(detectors, alert.detector, entry);
      if (event === undefined) return;
      if (event.policy !== undefined) {
        const { rule, version, decision } = event.policy;
        note(rules, { rule, version, decision }, entry);
      }
      const server = { server: event.server?.name, server_version: event.server?.version };
      const { name = '', definition_digest } = event.tool ?? {};
      if (definition_digest !== undefined)
        note(tools, { ...server, tool: name, definition_digest, seen: 'called' }, entry);
      for (const [tool, digest] of Object.entries(event.tool_definitions ?? {}))
        note(tools, { ...server, tool, definition_digest: digest, seen: 'listed' }, entry);
    },
    policies: () => textOf({ policies: listOf(rules), detectors: listOf(detectors) }),
    tools: () => textOf({ tools: listOf(tools) }),
  };
}

const listOf = <Facts extends object>(seen: ReadonlyMap<string, Seen<Facts>>) =>
  [...seen.values()].map(({ facts, count, first, last }) => ({ ...facts, count, first, last }));

const textOf = (content: object): string => `${JSON.stringify(content, undefined, 2)}\n`;
