import type { Alert } from '../../../schemas/alert.ts';
import { findingUid } from '../finding-uid.ts';

/** A CEF extension field: key, raw value, and the key's length limit in characters. */
export interface CefField {
  readonly key: string;
  readonly value: string;
  readonly maxChars: number;
}

/** Where limits are not the CEF dictionary's (custom keys, which are `VendorProductKey`). */
const CUSTOM_MAX_CHARS = 1023;

/**
 * The extension fields of an alert, the most important first: when a message is too long the last ones go first.
 * `externalId` is the alert id. Absent fields are left out; a custom string carries its label right behind it.
 */
export function cefFields(alert: Alert): CefField[] {
  const timeMs = (BigInt(alert.time_unix_nano) / 1_000_000n).toString();
  const fields: (CefField | undefined)[] = [
    field('externalId', alert.alert_id, 40),
    field('rt', timeMs, 20),
    field('msg', alert.reason, 1023),
    field('CustodyMcpTenant', alert.tenant, CUSTOM_MAX_CHARS),
    field('suser', alert.user_id, 1023),
    field('CustodyMcpActor', alert.actor_id, CUSTOM_MAX_CHARS),
    field('CustodyMcpServer', alert.server_name, CUSTOM_MAX_CHARS),
    field('CustodyMcpTool', alert.tool_name, CUSTOM_MAX_CHARS),
    field('CustodyMcpSession', alert.session_key, CUSTOM_MAX_CHARS),
    field('act', alert.policy_decision, 63),
    field('CustodyMcpDestinations', alert.destinations?.join(' '), CUSTOM_MAX_CHARS),
    field('CustodyMcpFinding', findingUid(alert), 40),
    field('CustodyMcpIncident', alert.incident_id, 40),
    field('CustodyMcpRisk', alert.risk_score === undefined ? undefined : String(alert.risk_score), 8),
    field('CustodyMcpMode', alert.mode, 16),
    ...labelled('cs1', 'observed', alert.observed),
    ...labelled('cs2', 'normal', alert.normal),
    ...labelled('cs3', 'distance', alert.distance),
    ...labelled('cs4', 'evidence', [...alert.evidence].reverse().join(' ')),
    field('cfp1', String(alert.score), 32),
    field('cfp1Label', 'score', 32),
    field('CustodyMcpDetectorVersion', String(alert.detector.version), 20),
    field('CustodyMcpTrace', alert.trace_id, CUSTOM_MAX_CHARS),
    field('CustodyMcpDedupKey', alert.dedup_key, CUSTOM_MAX_CHARS),
    field(
      'CustodyMcpReferences',
      [...alert.references.owasp, ...alert.references.atlas, ...alert.references.attack].join(' '),
      CUSTOM_MAX_CHARS,
    ),
  ];
  return fields.filter((item) => item !== undefined);
}

function field(key: string, value: string | undefined, maxChars: number): CefField | undefined {
  return value === undefined || value === '' ? undefined : { key, value, maxChars };
}

function labelled(key: string, label: string, value: string): (CefField | undefined)[] {
  return [field(key, value, 4000), field(`${key}Label`, label, 1023)];
}
