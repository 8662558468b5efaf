import { matchLabels, type Labelled } from '../backtest/evaluate/label-match.ts';
import { InputError } from '../runtime/errors.ts';

/**
 * Labels with the sessions that were played; those of others stay and count as not found, as for the scorer of the
 * recordings, and are told on stderr.
 * @throws InputError when no label is about a session of the stream: then there is nothing to judge.
 */
export function labelsOfPlayed<L extends Labelled>(
  labels: readonly L[],
  played: ReadonlySet<string>,
): readonly L[] {
  const { labels: matched, missing } = matchLabels(labels, played);
  if (missing === labels.length)
    throw new InputError(
      'input_invalid',
      `cannot judge the stream: none of ${labels.length} labelled sessions is among its ${played.size}; ` +
        'check that --labels and --stream belong together and name sessions alike, in the member session',
    );
  if (missing > 0)
    process.stderr.write(`${missing} labelled sessions are not in the stream; they count as not found\n`);
  return matched;
}
