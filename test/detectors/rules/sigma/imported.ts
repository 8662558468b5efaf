import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createEngine } from '../../../../detectors/engine/engine.ts';
import { compileRuleSet } from '../../../../detectors/rules/rule-set.ts';
import { rulesDetector } from '../../../../detectors/rules/rules-detector.ts';
import { expandEvents } from '../../../../detectors/rules/short-event.ts';
import { importSigma } from '../../../../detectors/rules/sigma/import-sigma.ts';
import { detectConfig } from '../../sessions.ts';

/** Sigma text of one or more documents, converted. */
export const imported = (text: string) =>
  importSigma(
    parseAllDocuments(text).map((document) => ({
      file: 'x.yml',
      line: 1,
      document: document.toJS() as unknown,
    })),
  );

/** Ids of the rules that alert, from Sigma text to the engine. */
export function alertsOf(text: string, ...shorts: readonly Readonly<Record<string, unknown>>[]): string[] {
  const { rules, problems } = imported(text);
  expect(problems).toEqual([]);
  const { set, problems: ours } = compileRuleSet({ schema: 'custody.rules/v1', rules });
  expect(ours).toEqual([]);
  const engine = createEngine(detectConfig(), { detectors: [rulesDetector(() => set)] });
  return expandEvents(shorts).flatMap(({ event, timeMs }) =>
    engine.process({ event, appendTimeMs: timeMs }).map(({ detector }) => detector.id),
  );
}
