import type { CustodyEvent } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { compact } from './compact.ts';
import { asIdentity, asName, type RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';
import { decisionOf } from './outcome.ts';

type Policy = NonNullable<CustodyEvent['policy']>;
const REASON_MAX_CHARS = 1024;

/** What the policy said (verdict) and what was enforced (decision): a lone verdict counts as enforced. */
export function policyOf(
  from: (field: number) => AttributeValue | undefined,
  counts: RedactionCounts,
): Policy | undefined {
  const verdict = decisionOf(from(F.verdict));
  const decision = decisionOf(from(F.decision)) ?? verdict;
  return compact<Policy>({
    approver: asIdentity(from(F.approver), counts),
    decision,
    reason: asName(from(F.reason), counts, REASON_MAX_CHARS),
    rule: asName(from(F.rule), counts),
    ticket: asName(from(F.ticket), counts),
    verdict: verdict === decision ? undefined : verdict,
    version: asName(from(F.policyVersion), counts),
  });
}
