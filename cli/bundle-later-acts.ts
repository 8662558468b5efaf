import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { custodyFileOf, readCustody } from '../bundle/custody-file.ts';
import type { BundleVerdict } from '../evidence/bundle/verdict.ts';
import { printable } from '../evidence/bundle/verdict.ts';
import { parseVerifierKey } from '../evidence/note/key.ts';
import type { TrustPolicy } from '../schemas/trust-policy.ts';

/** What the file beside a bundle says of the time after sealing. */
export interface LaterActs {
  readonly file: string;
  /** Acts in all, those inside the bundle included. */
  readonly acts: number;
  readonly findings: readonly { readonly cause: string; readonly line: number; readonly detail: string }[];
  readonly verdict: BundleVerdict['verdict'];
}

/**
 * Checks `<bundle>.custody.jsonl`; `undefined` when there is none, or when the bundle cannot be read at all. What is wrong
 * with the acts inside is in the bundle's own verdict.
 */
export async function checkLaterActs(
  bundle: string,
  { case: caseId }: BundleVerdict,
  trust: TrustPolicy | undefined,
): Promise<LaterActs | undefined> {
  const file = custodyFileOf(bundle);
  if (!existsSync(file) || caseId === null) return undefined;
  const keys = (trust?.bundle_keys ?? []).map(parseVerifierKey);
  const { acts, findings } = await readCustody(bundle, keys);
  const beside = findings.filter((finding) => finding.file === basename(file));
  const isBroken = beside.some(({ cause }) => cause !== 'CUSTODY_KEY');
  return {
    ...{ file, acts: acts.length },
    findings: beside.map(({ cause, line, detail }) => ({ cause, line, detail })),
    verdict: isBroken ? 'invalid' : beside.length > 0 ? 'undecidable' : 'valid',
  };
}

/** The same as text for people. */
export function describeLaterActs({ file, acts, findings, verdict }: LaterActs): string {
  const lines = findings.map(({ cause, line, detail }) => `  ${cause} in line ${line}: ${printable(detail)}`);
  return `${[`Chain of custody with ${file}: ${verdict}, ${acts} acts`, ...lines].join('\n')}\n`;
}
