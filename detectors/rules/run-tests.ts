import type { DetectConfig } from '../../schemas/config.ts';
import type { RuleTestCase } from '../../schemas/rule.ts';
import { createEngine } from '../engine/engine.ts';
import { pathText, readRegistry } from '../../schemas/read-registry.ts';
import { documentDigest } from '../registry/document-digest.ts';
import type { CompiledRule } from './compile-rule.ts';
import { type ExplainedRule, explainingDetector } from './explaining-detector.ts';
import { ruleSetOf } from './rule-set.ts';
import { expandEvents, type PlacedEvent, uuidOf } from './short-event.ts';

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  readonly expected: string;
  readonly alerts: number;
  /** Why the case could not run. */
  readonly problem: string | undefined;
  /** For a failure: each event, by its place in the case, with what the rule made of it. */
  readonly events: readonly (ExplainedRule & { readonly index: number })[];
}

/** Runs the cases beside a rule, each in an engine of its own: the engine that runs live. */
export function runRuleTests(rule: CompiledRule, config: DetectConfig): CaseResult[] {
  return rule.rule.tests.map((test) => runCase(rule, test, config));
}

function runCase(rule: CompiledRule, test: RuleTestCase, config: DetectConfig): CaseResult {
  const expected =
    test.expect === 'quiet' ? 'quiet' : test.alerts === undefined ? 'alert' : `${test.alerts} alerts`;
  let before: readonly PlacedEvent[];
  let events: readonly PlacedEvent[];
  try {
    before = registryEvents(test);
    events = expandEvents(test.events);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { name: test.name, passed: false, expected, alerts: 0, problem: error.message, events: [] };
  }
  const places = new Map(events.map(({ event }, index) => [event.event_id, index]));
  const seen: CaseResult['events'][number][] = [];
  const rules = explainingDetector(ruleSetOf([rule]), ({ event }, explain) => {
    const index = places.get(event.event_id);
    const [explained] = explain();
    if (index !== undefined && explained !== undefined) seen.push({ index, ...explained });
  });
  const engine = createEngine(config, { detectors: [rules] });
  let alerts = 0;
  for (const { event, timeMs } of [...before, ...events])
    alerts += engine
      .process({ event, appendTimeMs: timeMs })
      .filter(({ detector }) => detector.id === `rule/${rule.rule.id}`).length;
  const passed = test.expect === 'quiet' ? alerts === 0 : alerts === (test.alerts ?? Math.max(1, alerts));
  return { name: test.name, passed, expected, alerts, problem: undefined, events: passed ? [] : seen };
}

function registryEvents({ registry }: RuleTestCase): PlacedEvent[] {
  if (registry === undefined) return [];
  const [placed] = expandEvents([{ kind: 'context', session: '' }]);
  if (placed === undefined) return [];
  const [wrong] = readRegistry(registry).problems ?? [];
  if (wrong !== undefined) throw new RangeError(`registry: ${pathText(wrong.path)}: ${wrong.reason}`);
  const document = JSON.stringify(registry);
  return [
    {
      timeMs: placed.timeMs,
      event: {
        ...placed.event,
        event_id: uuidOf('registry'),
        kind: 'policy_document',
        policy_document: { type: 'registry', digest: documentDigest(registry), document },
      },
    },
  ];
}
