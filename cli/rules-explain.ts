import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { DetectRecord } from '../detectors/engine/contract.ts';
import { createEngine } from '../detectors/engine/engine.ts';
import { type ExplainedCondition, explainRule, type Part } from '../detectors/rules/explain.ts';
import type { RuleSet } from '../detectors/rules/rule-set.ts';
import { rulesDetector } from '../detectors/rules/rules-detector.ts';
import { watcher } from '../detectors/rules/watcher.ts';
import { readRuleFiles } from '../pipeline/rule-files.ts';
import { ConfigError, InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { eventSchema } from '../schemas/event.ts';
import { type CommonOptions, configOf, withCommonOptions } from './options.ts';
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
}

/** `custody rules explain`: which rules match an event, and what each part of their conditions comes to. */
export function rulesExplainCommand(): Command {
  return withCommonOptions(new Command('explain'))
    .description('which rules match an event or lie behind an alert, with the value of each part')
    .argument('[paths...]', 'directories or files of rules (default: rules.dirs of the configuration)')
    .option('-e, --event <file>', 'canonical events, one JSON a line; the last is explained (- is stdin)')
    .option('-i, --id <uuid>', 'an event or alert in the store; its session before it is taken into account')
    .option('-r, --rule <id>', 'this rule, whether it matches or not')
    .addHelpText(
      'after',
      `
Examples:
  custody rules explain --id 0b4c2c52-7d27-8d2e-a1c6-5a0d2f6f2f10
  custody rules explain --event event.json my-rules/ --rule bulk-export
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
  return event === undefined ? storedEventAndBefore(config, id ?? '') : fileRecords(event);
}

function fileRecords(file: string): DetectRecord[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`cannot read events ${file}: unreadable`, { path: '--event', cause });
  }
  // One event may be written over several lines; several have a line each.
  const whole = jsonOf(text);
  const values = whole === undefined ? text.split('\n').map(jsonOf) : [whole];
  return values.map((value, index) => {
    const parsed = eventSchema.safeParse(value);
    if (!parsed.success) {
      const path = parsed.error.issues[0]?.path.join('.') ?? '';
      throw new InputError(
        'input_invalid',
        `cannot use event ${index + 1} of ${file}: ${path === '' ? 'not a canonical event' : path}`,
      );
    }
    return { event: parsed.data, appendTimeMs: Number(parsed.data.time_unix_nano.slice(0, -6)) };
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Runs the events through the engine; what the rules make of the last one. */
function explain(set: RuleSet, records: readonly DetectRecord[], config: Config): Explained[] {
  const last = records.at(-1)?.event.event_id;
  let conditions: readonly (readonly ExplainedCondition[])[] = [];
  const watching = watcher((detected) => {
    if (detected.event.event_id === last) conditions = set.rules.map((rule) => explainRule(rule, detected));
  });
  const engine = createEngine(config.detect, { detectors: [rulesDetector(() => set), watching] });
  let fired = new Set<string>();
  for (const record of records) fired = new Set(engine.process(record).map(({ detector }) => detector.id));
  return set.rules.map(({ rule }, index) => ({
    rule: rule.id,
    title: rule.title,
    matches: (conditions[index] ?? []).some(({ holds }) => holds),
    alerts: fired.has(`rule/${rule.id}`),
    conditions: conditions[index] ?? [],
  }));
}

function explainedText({ rule, title, matches, alerts, conditions }: Explained): string {
  const verdict = alerts ? 'alerts' : matches ? 'matches' : 'does not match';
  const lines = conditions.flatMap(({ name, otherKind, whole }) =>
    otherKind ? [`  ${name}: about other kinds of events`] : [`  ${name}:`, ...partLines(whole, 2)],
  );
  return `${rule} ${verdict}: ${title}\n${lines.map((line) => `${line}\n`).join('')}`;
}

function partLines({ text, value, parts }: Part, depth: number): string[] {
  return [
    `${'  '.repeat(depth)}${value.padEnd(6)} ${text}`,
    ...parts.flatMap((part) => partLines(part, depth + 1)),
  ];
}
