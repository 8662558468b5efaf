import { InputError } from '../../runtime/errors.ts';
import { storeRecords, storeUnusableRequest, type IngestDeps, type ItemFault } from '../intake.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { SIGNAL_NAMES, otlpItems, type OtlpSignal } from './items.ts';
import { decodeLimits } from './limits.ts';
import { encodeExportResponse, type OtlpEncoding, type PartialSuccess } from './response.ts';

const FAULTS_NAMED = 3;
const ERROR_MESSAGE_CHARS = 2048;

/**
 * Takes one export request whole: resolves with the encoded answer once every record is durable, as event or as
 * malformed. Throws the InputError of a request that cannot be decoded, after it was kept as one malformed record, or
 * the topic's TransientError.
 */
export async function takeExport(
  deps: IngestDeps,
  context: NormalizeContext,
  signal: OtlpSignal,
  encoding: OtlpEncoding,
  body: Uint8Array,
): Promise<Uint8Array> {
  const items = otlpItems(signal, encoding, body, decodeLimits(deps.config), context, deps);
  try {
    const outcome = await storeRecords(deps, context, signal, items);
    const partial = partialSuccess(outcome.malformedCount, outcome.firstFaults);
    return encodeExportResponse(encoding, SIGNAL_NAMES[signal], partial);
  } catch (error) {
    // No text: in neither encoding do attribute names stand next to their values, which redaction needs.
    if (error instanceof InputError && error.code === 'input_invalid') {
      await storeUnusableRequest(deps, context, body, undefined, error);
    }
    throw error;
  }
}

function partialSuccess(rejectedCount: number, faults: readonly ItemFault[]): PartialSuccess | undefined {
  if (rejectedCount === 0) return undefined;
  const named = faults.slice(0, FAULTS_NAMED).map(({ input }) => `${input.path ?? ''}: ${input.reason}`);
  const more = rejectedCount > named.length ? `; and ${rejectedCount - named.length} more` : '';
  return { rejectedCount, errorMessage: `${named.join('; ').slice(0, ERROR_MESSAGE_CHARS)}${more}` };
}
