import { randomUUID } from 'node:crypto';
import { InputError } from '../../runtime/errors.ts';
import {
  storeRecords,
  storeUnusableRequest,
  textStart,
  type IngestDeps,
  type IntakeOutcome,
  type Signal,
} from '../intake.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { normalizeAudit } from '../normalize/audit.ts';
import { acceptCanonicalEvent } from './canonical-event.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { acceptReceipt } from './receipt.ts';
import type { KnownIssuer } from './receipt-issuers.ts';
import { auditItems, auditValues, type AuditEncoding } from './items.ts';

/** Levels of JSON around the values that `depth_max` bounds. */
const ENVELOPE_DEPTH = 8;

/** Answer to an audit or canonical-event request; `errors` holds the first few. */
export interface AuditAnswer {
  readonly accepted: number;
  readonly malformed: number;
  readonly errors: readonly {
    readonly index: number;
    readonly path: string | undefined;
    readonly reason: string;
  }[];
}

/**
 * Takes audit events (`audit`: the sender's own format) or canonical events of a tap (`canonical`). Resolves once all
 * are durable. Throws as `takeExport` does.
 */
export async function takeAudit(
  deps: IngestDeps,
  context: NormalizeContext,
  format: 'audit' | 'canonical',
  encoding: AuditEncoding,
  body: Uint8Array,
): Promise<AuditAnswer> {
  const request = randomUUID();
  const normalize = (value: unknown, index: number) =>
    format === 'audit'
      ? normalizeAudit(value, context, `${request}/${index}`)
      : acceptCanonicalEvent(value, context);
  const signal = format === 'audit' ? 'audit' : 'mcp';
  return takeValues(deps, context, { signal, excerpts: true, normalize }, encoding, body);
}

/**
 * Takes receipts that gateways signed. Resolves and throws as `takeAudit`. Of one that is refused no excerpt is kept: what
 * is in its payload is base64, where redaction sees nothing.
 */
export async function takeReceipts(
  deps: IngestDeps,
  context: NormalizeContext,
  known: readonly KnownIssuer[],
  encoding: AuditEncoding,
  body: Uint8Array,
): Promise<AuditAnswer> {
  const normalize = (value: unknown) => acceptReceipt(value, context, { known, sealing: deps.sealing });
  return takeValues(deps, context, { signal: 'audit', excerpts: false, normalize }, encoding, body);
}

interface Taking {
  readonly signal: Signal;
  /** Whether the ledger keeps a redacted excerpt of what is unusable. */
  readonly excerpts: boolean;
  readonly normalize: (value: unknown, index: number) => CustodyEvent;
}

async function takeValues(
  deps: IngestDeps,
  context: NormalizeContext,
  { signal, excerpts, normalize }: Taking,
  encoding: AuditEncoding,
  body: Uint8Array,
): Promise<AuditAnswer> {
  const shape = { depthMax: deps.config.depth_max + ENVELOPE_DEPTH };
  const values = auditValues(body, encoding, shape, deps.config.records_max);
  const items = auditItems(values, normalize, deps, excerpts);
  try {
    return answerOf(await storeRecords(deps, context, signal, items));
  } catch (error) {
    if (error instanceof InputError && error.code === 'input_invalid') {
      await storeUnusableRequest(deps, context, body, excerpts ? textStart(body) : undefined, error);
    }
    throw error;
  }
}

function answerOf(outcome: IntakeOutcome): AuditAnswer {
  return {
    accepted: outcome.acceptedCount,
    malformed: outcome.malformedCount,
    errors: outcome.firstFaults.map(({ index, input }) => ({
      index,
      path: input.path,
      reason: input.reason,
    })),
  };
}
