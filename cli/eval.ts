import { createWriteStream, type WriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { Command, Option } from 'commander';
import { taskIntervals } from '../backtest/evaluate/bootstrap.ts';
import { playFolds, type FoldKind } from '../backtest/evaluate/folds.ts';
import { readLabels, type Labels } from '../backtest/evaluate/labels.ts';
import { createPlayer, type Played, type Scored } from '../backtest/evaluate/play-recording.ts';
import { incidentQuality, qualityOf } from '../backtest/evaluate/quality.ts';
import { FIGURES, foldsText, incidentsText, qualityText } from '../backtest/evaluate/quality-text.ts';
import { scorerLine } from '../backtest/evaluate/scorer-lines.ts';
import { volumesOf, volumesText } from '../backtest/evaluate/volumes.ts';
import { readRecording } from '../backtest/recording/read-recording.ts';
import type { RecordedEvent } from '../backtest/recording/recorded-event.ts';
import { createSessionClock } from '../backtest/recording/session-clock.ts';
import { evaluationReport } from '../backtest/report/evaluation-report.ts';
import { decodeLimits } from '../collectors/otlp/limits.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { policyEvents } from './backtest-policies.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { createProgress } from './progress.ts';

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

/** Digests and fingerprints of recordings are compared with each other only: any key will do, if it is the same. */
const RECORDING_KEY = Buffer.from('custody evaluation of recordings');

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
      const labels = options.labels === undefined ? undefined : await readLabels(options.labels);
      if (options.folds !== undefined && labels?.kind !== 'sessions')
        throw new ConfigError('cannot cross-validate: --folds needs --labels of sessions', {
          path: '--folds',
        });
      const inForce = await policyEvents({
        registry: options.registry ?? config.registry.file,
        rules: (options.rules ?? config.rules.dirs).filter((dir) => dir !== 'none'),
      });
      if (options.folds === undefined) await evaluate(options, config, inForce, labels);
      else if (labels?.kind === 'sessions')
        await crossValidate(options, options.folds, config, inForce, labels);
    });
}

async function evaluate(
  options: EvalOptions,
  config: Config,
  inForce: readonly CustodyEvent[],
  labels: Labels | undefined,
): Promise<void> {
  const read = createReader(config);
  const player = createPlayer(config.detect, inForce);
  const warmup =
    options.warmup === undefined
      ? undefined
      : await player.play(read.records(options.warmup, 'warm-up'), { benign: true });
  const played = await player.play(read.records(options.stream, 'stream'));
  read.tellSkipped();
  if (options.out !== undefined) await writeLines(options.out, played.scored);
  const volumes = volumesOf(played, warmup, labels);
  const judged = judge(played, labels);
  if (options.html !== undefined)
    await writeFile(options.html, evaluationReport({ played, labels, volumes, quality: judged?.quality }));
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ ...judged, volumes })}\n`);
    return;
  }
  if (judged?.quality !== undefined) process.stdout.write(qualityText(judged.quality, judged.intervals));
  if (judged?.incidents !== undefined) process.stdout.write(incidentsText(judged.incidents));
  process.stdout.write(volumesText(volumes));
}

function judge({ scored }: Played, labels: Labels | undefined) {
  if (labels === undefined) return undefined;
  if (labels.kind === 'incidents') return { incidents: incidentQuality(labels.labels, scored) };
  const figures = FIGURES.map(([, of]) => of);
  return {
    quality: qualityOf(labels.labels, scored),
    intervals: taskIntervals(labels.labels, scored, figures),
  };
}

async function crossValidate(
  options: EvalOptions,
  kind: FoldKind,
  config: Config,
  inForce: readonly CustodyEvent[],
  { labels }: Extract<Labels, { kind: 'sessions' }>,
): Promise<void> {
  const read = createReader(config);
  const held = async (file: string | undefined, name: string) => {
    const records: RecordedEvent[] = [];
    if (file !== undefined) for await (const record of read.records(file, name)) records.push(record);
    return records;
  };
  const warmup = await held(options.warmup, 'warm-up');
  const stream = await held(options.stream, 'stream');
  read.tellSkipped();
  const progress = createProgress('folds', 'folds');
  const folds = await playFolds(
    kind,
    { labels, warmup, stream, newPlayer: () => createPlayer(config.detect, inForce) },
    (done, total) => progress.update(done, total),
  );
  progress.stop();
  if (options.out !== undefined) await writeLines(options.out, folds.scored);
  // By goal, benign sessions are in every fold: together they would count many times.
  const pooled =
    kind === 'goal'
      ? undefined
      : {
          quality: qualityOf(labels, folds.scored),
          intervals: taskIntervals(
            labels,
            folds.scored,
            FIGURES.map(([, of]) => of),
          ),
        };
  if (options.json === true) {
    const each = folds.folds.map(({ name, warmupSessions, quality }) => ({
      name,
      warmup_sessions: warmupSessions,
      quality,
    }));
    process.stdout.write(`${JSON.stringify({ folds: each, pooled })}\n`);
    return;
  }
  process.stdout.write(foldsText(folds.folds));
  if (pooled === undefined) return;
  process.stdout.write(`all folds together\n${qualityText(pooled.quality, pooled.intervals)}`);
}

/** Reads recordings one after another on one clock, with a line on stderr for what could not be read. */
function createReader(config: Config) {
  const clock = createSessionClock();
  const skipped: string[] = [];
  let skippedCount = 0;
  return {
    async *records(file: string, name: string): AsyncGenerator<RecordedEvent> {
      const onSkipped = (line: number, reason: string) => {
        skippedCount += 1;
        if (skipped.length < 3) skipped.push(`${name} line ${line}: ${reason}`);
      };
      const limits = decodeLimits(config.ingest);
      yield* readRecording(file, { digestKey: RECORDING_KEY, limits, clock, onSkipped });
    },
    tellSkipped() {
      if (skippedCount === 0) return;
      process.stderr.write(`left out ${skippedCount} records: ${skipped.join('; ')}\n`);
    },
  };
}

async function writeLines(file: string, scored: readonly Scored[]): Promise<void> {
  const out: WriteStream = createWriteStream(file);
  try {
    for (const line of scored) out.write(scorerLine(line));
    out.end();
    await finished(out);
  } catch (cause) {
    throw new ConfigError(
      `cannot write ${file}: ${cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason'}`,
      { path: '--out', cause },
    );
  }
}
