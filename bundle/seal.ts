import {
  BUNDLE_PREDICATE_TYPE,
  FILE,
  STATEMENT_TYPE,
  type SealStatement,
} from '../evidence/bundle/format.ts';
import { canonicalJson } from '../evidence/canonical-json.ts';
import { EMPTY_CHAIN, signAct, type CustodyAct, type CustodyStatement } from '../evidence/custody-chain.ts';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, signEnvelope } from '../evidence/dsse.ts';
import type { SigningKey } from '../evidence/note/key.ts';
import { actOrError } from './custody-file.ts';
import type { BundleMode } from './case-data.ts';
import type { Staging } from './staging.ts';

export interface SealFacts {
  readonly caseId: string;
  readonly mode: BundleMode;
  readonly createdMs: number;
  readonly tool: { readonly name: string; readonly version: string };
  readonly logs: SealStatement['predicate']['logs'];
}

/** Signs both manifests, and with them every file but the seals; asks an authority for the time where there is one. */
export async function sealBundle(
  staging: Staging,
  facts: SealFacts,
  key: SigningKey,
  timestamp: ((bytes: Uint8Array) => Promise<Uint8Array>) | undefined,
): Promise<void> {
  const subject = [FILE.manifest, FILE.tagManifest].map((name) => ({
    name,
    digest: { sha256: staging.files.get(name)?.sha256 ?? '' },
  }));
  const statement = {
    _type: STATEMENT_TYPE,
    subject,
    predicateType: BUNDLE_PREDICATE_TYPE,
    predicate: {
      case: facts.caseId,
      mode: facts.mode,
      created_ms: facts.createdMs,
      tool: facts.tool,
      logs: facts.logs,
    },
  };
  const payload = Buffer.from(canonicalJson(statement), 'utf8');
  const seal = Buffer.from(formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, payload, [key])), 'utf8');
  await staging.write(FILE.seal, seal);
  if (timestamp !== undefined) await staging.write(FILE.sealTimestamp, await timestamp(seal));
}

/** Writes the acts up to sealing as data/custody/custody.jsonl. */
export async function writeActs(
  staging: Staging,
  statements: readonly CustodyStatement[],
  key: SigningKey,
): Promise<CustodyAct[]> {
  let head = EMPTY_CHAIN;
  const acts: CustodyAct[] = [];
  let lines = '';
  for (const statement of statements) {
    const signed = actOrError(() => signAct(statement, head, key));
    head = signed.head;
    acts.push(signed.act);
    lines += `${signed.line}\n`;
  }
  await staging.write(FILE.custody, lines);
  return acts;
}
