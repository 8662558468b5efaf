import { Command } from 'commander';
import type { DetectRecord } from '../detectors/engine/contract.ts';
import { createEngine } from '../detectors/engine/engine.ts';
import type { ExplainedCondition, Part } from '../detectors/rules/explain.ts';
import { type ExplainedRule, explainingDetector } from '../detectors/rules/explaining-detector.ts';
import type { RuleSet } from '../detectors/rules/rule-set.ts';
import { readRuleFiles } from '../pipeline/rule-files.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { type CommonOptions, configOf, withCommonOptions } from './options.ts';
import { eventsOfFile } from './rules-explain-file.ts';
import { storedEventAndBefore } from './rules-explain-stored.ts';

interface ExplainOptions extends CommonOptions {
  readonly event?: string;
  readonly id?: string;
  readonly rule?: string;
}

interface Explained {
  readonly rule: string;
  readonly title: string;
  /** One of its conditions holds for the event. */
  readonly matches: boolean;
  /** It alerted on this event. */
  readonly alerts: boolean;
  readonly conditions: readonly ExplainedCondition[];
  /** How the event counted with those before it, where there is something to say. */
  readonly correlation?: string;
}

/** `custody rules explain`: which rules match an event, and what each part of their conditions comes to. */
export function rulesExplainCommand(): Command {
  return withCommonOptions(new Command('explain'))
    .description('which rules match an event or lie behind an alert, with the value of each part')
    .argument('[paths...]', 'directories or files of rules (default: rules.dirs of the configuration)')
    .option(
      '-e, --event <file>',
      'events, one JSON a line, or short ones as in rule tests; the last is explained (- is stdin)',
    )
    .option('-i, --id <uuid>', 'an event or alert in the store; its session before it is taken into account')
    .option('-r, --rule <id>', 'this rule, whether it matches or not')
    .addHelpText(
      'after',
      `
Examples:
  custody rules explain --id 0b4c2c52-7d27-8d2e-a1c6-5a0d2f6f2f10
  custody rules explain --event event.json my-rules/ --rule bulk-export
  echo '{ tool: crm/export, action: read, items: 500 }' | custody rules explain --event - my-rules/
  custody rules explain --event - --json < events.jsonl | jq '.[] | select(.alerts) | .rule'`,
    )
    .action(async (paths: string[], options: ExplainOptions) => {
      const config = configOf(options);
      const files = readRuleFiles(paths.length === 0 ? config.rules.dirs : paths);
      const records = await recordsOf(options, config);
      const all = explain(files.set, records, config);
      const wanted = all.filter(({ rule, matches, alerts }) =>
        options.rule === undefined ? matches || alerts : rule === options.rule,
      );
      if (options.rule !== undefined && wanted.length === 0)
        throw new ConfigError(`cannot explain rule ${options.rule}: there is no such rule`);
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify(wanted)}\n`
          : `${wanted.map(explainedText).join('')}${wanted.length} of ${all.length} rules\n`,
      );
    });
}

async function recordsOf({ event, id }: ExplainOptions, config: Config): Promise<DetectRecord[]> {
  if ((event === undefined) === (id === undefined))
    throw new ConfigError('cannot explain rules: name one of --event and --id', { path: '--event' });
  return event === undefined ? storedEventAndBefore(config, id ?? '') : eventsOfFile(event);
}

/** Runs the events through the engine; what the rules make of the last one. */
function explain(set: RuleSet, records: readonly DetectRecord[], config: Config): Explained[] {
  const last = records.at(-1)?.event.event_id;
  let explained: readonly ExplainedRule[] = [];
  const rules = explainingDetector(set, ({ event }, explainNow) => {
    if (event.event_id === last) explained = explainNow();
  });
  const engine = createEngine(config.detect, { detectors: [rules] });
  let fired = new Set<string>();
  for (const record of records) fired = new Set(engine.process(record).map(({ detector }) => detector.id));
  return set.rules.map(({ rule }, index) => {
    const { conditions = [], correlation } = explained[index] ?? {};
    return {
      rule: rule.id,
      title: rule.title,
      matches: conditions.some(({ holds }) => holds),
      alerts: fired.has(`rule/${rule.id}`),
      conditions,
      ...(correlation === undefined ? {} : { correlation }),
    };
  });
}

function explainedText({ rule, title, matches, alerts, conditions, correlation }: Explained): string {
  const verdict = alerts ? 'alerts' : matches ? 'matches' : 'does not match';
  const lines = conditions.flatMap(({ name, otherKind, whole }) =>
    otherKind ? [`  ${name}: about other kinds of events`] : [`  ${name}:`, ...partLines(whole, 2)],
  );
  if (correlation !== undefined) lines.push(`  correlation: ${correlation}`);
  return `${rule} ${verdict}: ${title}\n${lines.map((line) => `${line}\n`).join('')}`;
}

function partLines({ text, value, parts }: Part, depth: number): string[] {
  return [
    `${'  '.repeat(depth)}${value.padEnd(6)} ${text}`,
    ...parts.flatMap((part) => partLines(part, depth + 1)),
  ];
}
