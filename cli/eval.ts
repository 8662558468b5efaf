import { Command, Option } from 'commander';
import { taskIntervals, type Interval } from '../backtest/evaluate/bootstrap.ts';
import type { FoldKind } from '../backtest/evaluate/folds.ts';
import { readLabels, type Labels } from '../backtest/evaluate/labels.ts';
import { createPlayer, type Played } from '../backtest/evaluate/play-recording.ts';
import { incidentsJson, intervalsJson, qualityJson } from '../backtest/evaluate/quality-json.ts';
import {
  incidentQuality,
  qualityOf,
  type IncidentQuality,
  type Quality,
} from '../backtest/evaluate/quality.ts';
import { FIGURES, incidentsText, qualityText } from '../backtest/evaluate/quality-text.ts';
import { scorerLine } from '../backtest/evaluate/scorer-lines.ts';
import { volumesOf, volumesText } from '../backtest/evaluate/volumes.ts';
import { evaluationReport } from '../backtest/report/evaluation-report.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { policyEvents } from './backtest-policies.ts';
import { crossValidate } from './eval-folds.ts';
import { labelsOfPlayed } from './eval-labels.ts';
import { createReader } from './eval-reader.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { checkReportFiles, writeReportFile, type NamedFile } from './report-files.ts';

interface EvalOptions extends CommonOptions {
  readonly warmup?: string;
  readonly stream: string;
  readonly registry?: string;
  readonly rules?: readonly string[];
  readonly labels?: string;
  readonly out?: string;
  readonly html?: string;
  readonly folds?: FoldKind;
}

/** `custody eval`: plays recorded sessions through the engine that runs live and tells how well it judged them. */
export function evalCommand(): Command {
  return withCommonOptions(new Command('eval'))
    .description('play recorded sessions through the detectors and measure how well they judge them')
    .option('--warmup <file>', 'sessions to learn from first')
    .requiredOption('--stream <file>', 'sessions to judge; learning stays on')
    .option('--registry <file>', 'registry.yaml, or a list of tools, in force from the start')
    .option(
      '--rules <dir...>',
      'rules in force from the start (default: rules.dirs of the configuration); none for none',
    )
    .option('--labels <file>', 'what is known of the sessions, one JSON object a line')
    .option('-o, --out <file>', 'one JSON line for each score, with fired where an alert paged')
    .option('--html <file>', 'write a report with plots')
    .addOption(
      new Option(
        '--folds <kind>',
        'cross-validate: hold out tasks from the warm-up, or judge one goal at a time',
      ).choices(['task', 'goal']),
    )
    .addHelpText(
      'after',
      `
Examples:
  custody eval --warmup warmup.mcp.jsonl.gz --stream stream.mcp.jsonl.gz --registry registry.json \\
      --labels stream.labels.jsonl.gz --out alerts.jsonl --html report.html
  custody eval --warmup warmup.events.jsonl.gz --stream stream.events.jsonl.gz --labels labels.jsonl --folds task

Recordings are JSON lines, plain or gzip: MCP messages, one record for each call, canonical events or OTLP JSON.
Formats, definitions and limits: docs/operations/evaluation.md`,
    )
    .action(async (options: EvalOptions) => {
      const config = configOf(options);
      checkReportFiles(
        [
          { option: '--out', file: options.out },
          { option: '--html', file: options.html },
        ],
        inputsOf(options, config),
      );
      const labels = options.labels === undefined ? undefined : await readLabels(options.labels);
      if (options.folds !== undefined && labels?.kind !== 'sessions')
        throw new ConfigError('cannot cross-validate: --folds needs --labels of sessions', {
          path: '--folds',
        });
      if (options.folds !== undefined && options.html !== undefined)
        throw new ConfigError('cannot write a report of folds: leave out --html or --folds', {
          path: '--html',
        });
      const inForce = await policyEvents({
        registry: options.registry ?? config.registry.file,
        rules: (options.rules ?? config.rules.dirs).filter((dir) => dir !== 'none'),
      });
      if (options.folds === undefined) await evaluate(options, config, inForce, labels);
      else if (labels?.kind === 'sessions')
        await crossValidate({ ...options, kind: options.folds }, config, inForce, labels.labels);
    });
}

function inputsOf(options: EvalOptions, config: Config): NamedFile[] {
  return [
    { option: '--config', file: options.config },
    { option: '--warmup', file: options.warmup },
    { option: '--stream', file: options.stream },
    { option: '--registry', file: options.registry ?? config.registry.file },
    { option: '--labels', file: options.labels },
    ...(options.rules ?? config.rules.dirs).map((file) => ({ option: '--rules', file })),
  ];
}

async function evaluate(
  options: EvalOptions,
  config: Config,
  inForce: readonly CustodyEvent[],
  allLabels: Labels | undefined,
): Promise<void> {
  const read = createReader(config);
  const player = createPlayer(config.detect, inForce);
  const warmup =
    options.warmup === undefined
      ? undefined
      : await player.play(read.records(options.warmup, 'warm-up'), { benign: true });
  const played = await player.play(read.records(options.stream, 'stream'));
  read.tellSkipped();
  if (options.out !== undefined) await writeReportFile(options.out, played.scored.map(scorerLine), '--out');
  const labels = ofPlayed(allLabels, played);
  const volumes = volumesOf(played, warmup, labels);
  const judged = judge(played, labels);
  const { quality, intervals = [], incidents } = judged;
  if (options.html !== undefined)
    await writeReportFile(options.html, [evaluationReport({ played, labels, volumes, quality })], '--html');
  if (options.json === true) {
    const told = {
      quality: quality && qualityJson(quality),
      intervals: quality && intervalsJson(intervals),
      incidents: incidents && incidentsJson(incidents),
      volumes,
    };
    process.stdout.write(`${JSON.stringify(told)}\n`);
    return;
  }
  if (quality !== undefined) process.stdout.write(qualityText(quality, intervals));
  if (incidents !== undefined) process.stdout.write(incidentsText(incidents));
  process.stdout.write(volumesText(volumes));
}

function ofPlayed(labels: Labels | undefined, { sessions }: Played): Labels | undefined {
  if (labels?.kind === 'incidents')
    return { kind: 'incidents', labels: labelsOfPlayed(labels.labels, sessions) };
  return labels && { kind: 'sessions', labels: labelsOfPlayed(labels.labels, sessions) };
}

interface Judged {
  readonly quality?: Quality;
  readonly intervals?: readonly Interval[];
  readonly incidents?: readonly IncidentQuality[];
}

function judge({ scored }: Played, labels: Labels | undefined): Judged {
  if (labels === undefined) return {};
  if (labels.kind === 'incidents') return { incidents: incidentQuality(labels.labels, scored) };
  const figures = FIGURES.map(([, of]) => of);
  return {
    quality: qualityOf(labels.labels, scored),
    intervals: taskIntervals(labels.labels, scored, figures),
  };
}
