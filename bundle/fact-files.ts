import { BUNDLE_SCHEMA, FILE } from '../evidence/bundle/format.ts';
import { TRUST_SCHEMA } from '../schemas/trust-policy.ts';
import type { BundleFacts, LogFacts } from './case-data.ts';
import type { Staging } from './staging.ts';

/** Writes what the bundle says of itself: data/case.json, data/logs.json and, for orientation only, data/keys. */
export async function writeFacts(staging: Staging, facts: BundleFacts): Promise<void> {
  await staging.write(
    FILE.case,
    jsonText({
      schema: BUNDLE_SCHEMA,
      case: facts.caseId,
      ...(facts.question === undefined ? {} : { question: facts.question }),
      mode: facts.mode,
      claim: facts.claim,
      deployment: facts.deployment,
      tenant: facts.tenant,
      from_ms: facts.fromMs,
      to_ms: facts.toMs,
      filters: facts.filters,
      created_ms: facts.createdMs,
      operator: facts.operator,
      reason: facts.reason,
      tool: facts.tool,
      anchor_origin: facts.anchorLog.origin,
      redactions: [],
      findings: facts.findings,
      left_out: facts.leftOut,
    }),
  );
  const logs = facts.logs.map((log) => ({
    ...{ log: log.log, index: log.index, mode: log.mode },
    ...{ from_seq: String(log.fromSeq), to_seq: String(log.toSeq), entries: log.entryCount },
  }));
  await staging.write(FILE.logs, jsonText(logs));
  await staging.write(
    FILE.trustPolicy,
    jsonText({
      schema: TRUST_SCHEMA,
      deployment: facts.deployment,
      notary: facts.keys.notary.map((verifier_key) => ({ verifier_key })),
      bundle_keys: [facts.keys.bundle],
    }),
  );
}

/** A log's range as the seal names it. */
export const rangeOf = ({ log, fromSeq, toSeq }: LogFacts) => ({
  log,
  from_seq: String(fromSeq),
  to_seq: String(toSeq),
});

const jsonText = (content: unknown): string => `${JSON.stringify(content, undefined, 2)}\n`;
