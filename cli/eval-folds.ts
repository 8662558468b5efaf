import { taskIntervals } from '../backtest/evaluate/bootstrap.ts';
import { playFolds, type FoldKind } from '../backtest/evaluate/folds.ts';
import { sessionId } from '../backtest/evaluate/label-match.ts';
import type { SessionLabel } from '../backtest/evaluate/labels.ts';
import { createPlayer } from '../backtest/evaluate/play-recording.ts';
import { intervalsJson, qualityJson } from '../backtest/evaluate/quality-json.ts';
import { qualityOf } from '../backtest/evaluate/quality.ts';
import { FIGURES, foldsText, qualityText } from '../backtest/evaluate/quality-text.ts';
import { scorerLine } from '../backtest/evaluate/scorer-lines.ts';
import type { RecordedEvent } from '../backtest/recording/recorded-event.ts';
import type { Config } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { labelsOfPlayed } from './eval-labels.ts';
import { createReader } from './eval-reader.ts';
import { createProgress } from './progress.ts';
import { writeReportFile } from './report-files.ts';

export interface FoldOptions {
  readonly kind: FoldKind;
  readonly warmup?: string;
  readonly stream: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** Plays the parts one after another, and tells for each how well it was judged. */
export async function crossValidate(
  options: FoldOptions,
  config: Config,
  inForce: readonly CustodyEvent[],
  allLabels: readonly SessionLabel[],
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
  const labels = labelsOfPlayed(allLabels, sessionsOf(stream));
  const progress = createProgress('folds', 'folds');
  const folds = await playFolds(
    options.kind,
    { labels, warmup, stream, newPlayer: () => createPlayer(config.detect, inForce) },
    (done, total) => progress.update(done, total),
  ).finally(() => progress.stop());
  if (options.out !== undefined) await writeReportFile(options.out, folds.scored.map(scorerLine), '--out');
  const figures = FIGURES.map(([, of]) => of);
  // By goal, benign sessions are in every fold: together they would count many times.
  const pooled =
    options.kind === 'goal'
      ? undefined
      : {
          quality: qualityOf(labels, folds.scored),
          intervals: taskIntervals(labels, folds.scored, figures),
        };
  if (options.json === true) {
    const told = {
      folds: folds.folds.map(({ name, warmupSessions, quality }) => ({
        name,
        warmup_sessions: warmupSessions,
        quality: qualityJson(quality),
      })),
      pooled: pooled && {
        quality: qualityJson(pooled.quality),
        intervals: intervalsJson(pooled.intervals),
      },
    };
    process.stdout.write(`${JSON.stringify(told)}\n`);
    return;
  }
  process.stdout.write(foldsText(folds.folds));
  if (pooled === undefined) return;
  process.stdout.write(`all folds together\n${qualityText(pooled.quality, pooled.intervals)}`);
}

function sessionsOf(records: readonly RecordedEvent[]): ReadonlySet<string> {
  return new Set(
    records.flatMap(({ event, session }) =>
      session === undefined ? [] : [sessionId(event.tenant, session)],
    ),
  );
}
