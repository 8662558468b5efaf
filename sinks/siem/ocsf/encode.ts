import type { Alert } from '../../../schemas/alert.ts';
import { findingUid } from '../finding-uid.ts';
import { cutChars, escapeJsonText, wellFormed } from '../text.ts';
import { detectionFinding } from './detection-finding.ts';

/** Below this many characters per text nothing is cut further. */
const TEXT_MIN_CHARS = 16;

/**
 * One alert as OCSF 1.8.0 Detection Finding (class 2004): one line of JSON without the newline, at most `maxBytes`
 * of UTF-8. Longer alerts lose the ends of their longest texts and lists and say so in `metadata.is_truncated`; ids
 * are never cut. Pure: equal alerts give equal bytes.
 */
export function encodeOcsf(alert: Alert, maxBytes: number): string {
  const uid = findingUid(alert);
  const whole = toLine(detectionFinding(alert, { findingUid: uid }));
  const wholeBytes = Buffer.byteLength(whole);
  if (wholeBytes <= maxBytes) return whole;
  let line = whole;
  for (let maxChars = 2048; maxChars >= TEXT_MIN_CHARS; maxChars /= 2) {
    line = toLine(
      detectionFinding(shorten(alert, maxChars), { findingUid: uid, untruncatedBytes: wholeBytes }),
    );
    if (Buffer.byteLength(line) <= maxBytes) break;
  }
  return line;
}

function toLine(event: unknown): string {
  return escapeJsonText(
    JSON.stringify(event, (_key, value: unknown) => (typeof value === 'string' ? wellFormed(value) : value)),
  );
}

/** Every text at most `maxChars` long, every list at most `maxChars / 16` items; ids and fields SIEMs group by stay whole. */
function shorten(alert: Alert, maxChars: number): Alert {
  const {
    alert_id,
    schema,
    time_unix_nano,
    severity,
    score,
    detector,
    dedup_key,
    tenant,
    evidence,
    incident_id,
    related_incidents,
    ...rest
  } = alert;
  const cut = <T>(value: T): T => {
    if (typeof value === 'string') return cutChars(value, maxChars) as T;
    if (Array.isArray(value)) return cutList(value, maxChars).map(cut) as T;
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cut(item as unknown)])) as T;
    return value;
  };
  return {
    ...cut(rest),
    alert_id,
    schema,
    time_unix_nano,
    severity,
    score,
    detector: { ...detector, id: cutChars(detector.id, Math.min(128, maxChars * 8)) },
    dedup_key: cutChars(dedup_key, Math.min(512, maxChars)),
    tenant: cutChars(tenant, 63),
    evidence: cutEvidence(evidence, maxChars),
    ...(incident_id === undefined ? {} : { incident_id }),
    ...(related_incidents === undefined ? {} : { related_incidents }),
  };
}

function cutList(list: readonly unknown[], maxChars: number): readonly unknown[] {
  return list.slice(0, Math.max(1, Math.floor(maxChars / 16)));
}

/** The last id is the triggering event: it stays, the oldest go. */
function cutEvidence(evidence: readonly string[], maxChars: number): string[] {
  return evidence.slice(-Math.max(1, Math.floor(maxChars / 16)));
}
