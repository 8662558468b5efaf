import type { BundleFinding, BundleVerdict, TimeBounds, VerifiedLog } from './verdict.ts';

/** What no bundle ever proves, whatever the verdict. */
export const NEVER_PROMISED: readonly string[] = [
  'that a source told the truth',
  'that events that were never sent are known',
  'that these are all logs of the tenant: only the logs named are proven',
  'anything after the checkpoint, or before the first entry of a log',
  'the wording of files beside data/entries: the seal tells who wrote them, the log does not vouch for them',
  'availability and confidentiality',
];

/** The claim of a mode, as far as the verdict lets it stand. */
export function claimOf(
  verdict: BundleVerdict['verdict'],
  mode: BundleVerdict['mode'],
  logs: readonly VerifiedLog[],
  times: TimeBounds,
): string {
  if (verdict === 'invalid') return 'Nothing is proven: what was found contradicts the bundle.';
  const claim =
    logs.length === 0
      ? 'It has no entries; nothing is said about any log.'
      : mode === 'range'
        ? `Complete and unaltered${asOf(times)}: ${logs.map(rangeText).join('; ')}.`
        : `These entries are in the log${asOf(times)}; nothing is said about others: ${logs.map(selectionText).join('; ')}.`;
  return verdict === 'valid' ? claim : `Not decided. By keys that nobody pinned it would be: ${claim}`;
}

const rangeText = ({ log, from_seq, to_seq, first_ms, last_ms }: VerifiedLog): string =>
  `${log} from entry ${from_seq} to ${to_seq}${first_ms === null || last_ms === null ? '' : `, appended ${timeText(first_ms)} to ${timeText(last_ms)}`}`;
const selectionText = ({ log, entries }: VerifiedLog): string => `${entries} of ${log}`;

function asOf({ stated_ms, not_after_ms, not_after_source }: TimeBounds): string {
  const stated = stated_ms === null ? '' : ` as of ${timeText(stated_ms)} by the word of the notary`;
  return not_after_ms === null
    ? stated
    : `${stated}, and not later than ${timeText(not_after_ms)} by that of a pinned ${not_after_source ?? ''}`;
}

/** A time as ISO 8601; what no calendar has as the number it is. */
export function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

/** The verdict as text for people, the same from every program. Log ids and details are printable by construction. */
export function describeVerdict(verdict: BundleVerdict): string {
  const { findings, findings_total, timestamps, witnesses } = verdict;
  const lines = [
    `${verdict.verdict.toUpperCase()}: ${verdict.entries} entries of ${verdict.logs.length} logs`,
    verdict.claim,
    ...findings.map((finding) => `  ${findingText(finding)}`),
    ...(findings_total > findings.length ? [`  and ${findings_total - findings.length} more`] : []),
    ...witnesses.map(({ name, time_ms }) => `witness ${name}: cosigned at ${timeText(time_ms)}`),
    ...timestamps.map(
      ({ file, status, authority, time_ms }) =>
        `timestamp ${file}: ${status.replaceAll('_', ' ')}${authority === null || time_ms === null ? '' : `, ${authority}, ${timeText(time_ms)}`}`,
    ),
    `Keys: ${verdict.key_source === 'pinned' ? 'pinned by your trust policy' : 'only those in the bundle, which prove nothing; give a trust policy from elsewhere'}`,
    `Never promised: ${verdict.never_promised.join('; ')}.`,
  ];
  return `${lines.join('\n')}\n`;
}

const findingText = ({ cause, file, log, seq, detail }: BundleFinding): string =>
  `${cause}${[file, log, seq === null ? null : `entry ${seq}`].flatMap((part) => (part === null ? [] : [` ${part}`])).join('')}: ${detail}`;
