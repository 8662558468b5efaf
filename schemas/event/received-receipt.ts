import { z } from 'zod';
import { limits } from './limits.ts';
import { name } from './scalars.ts';

/** A receipt that came signed by a gateway; what the event says was taken from it. */
export const receivedReceipt = z.strictObject({
  /** The DSSE envelope with payload and signatures as they came (docs/spec/receipt.md). */
  envelope: z.string().max(limits.receiptChars),
  receipt_id: z.uuid(),
  /** Who it says issued it. */
  issuer: name,
  /** What its signature was worth when it was received; `unknown_key`: of nobody we know, so it counts for nothing. */
  signature: z.enum(['verified', 'bad', 'unknown_key', 'not_checked']),
});
