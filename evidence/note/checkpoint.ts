import type { TreeHead } from '../merkle/proofs.ts';
import { hashFromBase64 } from './base64.ts';

/** What a log says about itself at one size (C2SP tlog-checkpoint), before any signature is looked at. */
export interface Checkpoint extends TreeHead {
  /** The log's id. */
  readonly origin: string;
}

/** Decimal without leading zeros, within 63 bits. */
const SIZE = /^(?:0|[1-9][0-9]{0,18})$/;
const SIZE_MAX = (1n << 63n) - 1n;

/** The text of a note, to be signed. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}

/**
 * Reads the text of a note; `undefined` for text that is no checkpoint. Extension lines are refused: nothing that ours
 * could say there would be covered by every kind of cosignature. Reads attacker-controlled text.
 */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const lines = text.split('\n');
  const [origin = '', decimal = '', encoded = '', end] = lines;
  if (lines.length !== 4 || end !== '' || origin === '') return undefined;
  const size = parseSize(decimal);
  const root = hashFromBase64(encoded);
  return size === undefined || root === undefined ? undefined : { origin, size, root };
}

/** A tree size as the formats of C2SP write it. */
export function parseSize(decimal: string): bigint | undefined {
  if (!SIZE.test(decimal)) return undefined;
  const size = BigInt(decimal);
  return size <= SIZE_MAX ? size : undefined;
}
