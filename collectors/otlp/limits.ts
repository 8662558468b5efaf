import type { IngestConfig } from '../../schemas/config.ts';

/** Bounds of one decode; both encodings apply the same ones. */
export interface DecodeLimits {
  /** Attributes read per resource or record; the rest is skipped and counted. */
  readonly attributeMaxCount: number;
  /** Values read inside nested arrays and maps and inside span events, per record. */
  readonly nestedValueMaxCount: number;
  /** Nesting of arrays and maps; what lies deeper is read as null and counted. */
  readonly depthMax: number;
  /** Longer strings are cut at a character boundary. */
  readonly stringMaxBytes: number;
  readonly recordsMax: number;
}

const NESTED_VALUES_PER_ATTRIBUTE = 8;

/** Takes the decoder's bounds from the ingest configuration. */
export function decodeLimits(config: IngestConfig): DecodeLimits {
  return {
    attributeMaxCount: config.attribute_max_count,
    nestedValueMaxCount: config.attribute_max_count * NESTED_VALUES_PER_ATTRIBUTE,
    depthMax: config.depth_max,
    stringMaxBytes: config.string_max_bytes,
    recordsMax: config.records_max,
  };
}
