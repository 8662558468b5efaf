import {
  DsseFormatError,
  envelopeVerifiedBy,
  IN_TOTO_PAYLOAD_TYPE,
  parseEnvelope,
  type DsseEnvelope,
} from '../dsse.ts';
import type { Bag } from './bag.ts';
import {
  type BundleCase,
  type BundleLog,
  FILE,
  LIMITS,
  sealStatementSchema,
  type SealStatement,
} from './format.ts';
import type { TrustedKeys } from './trusted-keys.ts';
import type { BundleFindings } from './verdict.ts';

/** What the seal says and its exact bytes, which a timestamp is over. */
export interface Seal {
  readonly bytes: Uint8Array;
  readonly statement: SealStatement;
}

/**
 * The seal: a statement about both manifests, and so about every file, signed by a pinned bundle key. It vouches for who
 * made the bundle and that nobody changed it since; what is in the log is proven without it.
 */
export async function checkSeal(
  bag: Bag,
  trust: TrustedKeys | undefined,
  findings: BundleFindings,
): Promise<Seal | undefined> {
  const bytes = await bag.bytes(FILE.seal, LIMITS.noteBytes);
  if (bytes === undefined) return undefined;
  const broken = (reason: string): void => {
    findings.add('SEAL', { file: FILE.seal }, reason);
  };
  let envelope: DsseEnvelope;
  try {
    envelope = parseEnvelope(bytes);
  } catch (error) {
    if (error instanceof DsseFormatError) {
      broken(error.message);
      return undefined;
    }
    throw error;
  }
  checkSigner(envelope, trust, findings);
  if (envelope.payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    broken('it seals something that is no statement');
    return undefined;
  }
  const statement = sealStatementSchema.safeParse(parseJson(envelope.payload)).data;
  if (statement === undefined) {
    broken('what it says has another form');
    return undefined;
  }
  for (const { name, digest } of statement.subject)
    if (bag.manifestHash(name) !== digest.sha256) broken(`${name} is not the file that was sealed`);
  return { bytes, statement };
}

function checkSigner(envelope: DsseEnvelope, trust: TrustedKeys | undefined, findings: BundleFindings): void {
  if (trust === undefined) return;
  if (trust.bundleKeys.length === 0) {
    findings.add(
      'NO_PINNED_KEY',
      { file: FILE.seal },
      'no bundle key is pinned: who sealed it cannot be told',
    );
    return;
  }
  const { by, bad } = envelopeVerifiedBy(envelope, trust.bundleKeys);
  if (by.length > 0) return;
  if (bad === undefined)
    findings.add('UNKNOWN_KEY', { file: FILE.seal }, 'no pinned bundle key has sealed it');
  else findings.add('SEAL', { file: FILE.seal }, `the signature of ${bad.name}+${bad.keyId} does not verify`);
}

/** The seal, case.json and logs.json tell of one case. */
export function checkSealedCase(
  { statement }: Seal,
  facts: BundleCase,
  logs: readonly BundleLog[],
  findings: BundleFindings,
): void {
  const { predicate } = statement;
  const differs = (what: string) =>
    findings.add('CASE_MISMATCH', { file: FILE.seal }, `the seal is over another ${what}`);
  if (predicate.case !== facts.case) differs('case');
  if (predicate.mode !== facts.mode) differs('mode');
  if (predicate.created_ms !== facts.created_ms) differs('time');
  const windows = (each: readonly { log: string; from_seq: string; to_seq: string }[]) =>
    each.map(({ log, from_seq, to_seq }) => `${log} ${from_seq} ${to_seq}`).join('\n');
  if (windows(predicate.logs) !== windows(logs)) differs('set of logs');
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
