import { randomUUID } from 'node:crypto';
import { InputError } from '../../runtime/errors.ts';
import {
  storeRecords,
  storeUnusableRequest,
  textStart,
  type IngestDeps,
  type IntakeOutcome,
} from '../intake.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { normalizeAudit } from '../normalize/audit.ts';
import { acceptCanonicalEvent } from './canonical-event.ts';
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
  const shape = { depthMax: deps.config.depth_max + ENVELOPE_DEPTH };
  const values = auditValues(body, encoding, shape, deps.config.records_max);
  const request = randomUUID();
  const normalize = (value: unknown, index: number) =>
    format === 'audit'
      ? normalizeAudit(value, context, `${request}/${index}`)
      : acceptCanonicalEvent(value, context);
  const items = auditItems(values, normalize, deps.logger);
  try {
    return answerOf(await storeRecords(deps, context, format === 'audit' ? 'audit' : 'mcp', items));
  } catch (error) {
    if (error instanceof InputError && error.code === 'input_invalid') {
      await storeUnusableRequest(deps, context, body, textStart(body), error);
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
