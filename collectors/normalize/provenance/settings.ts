import type { Config } from '../../../schemas/config.ts';

/** What of provenance is computed (`ingest.provenance`). */
export interface ProvenanceSettings {
  readonly enabled: boolean;
  /** Fingerprints kept of one result or intent; 0 for none. */
  readonly resultTokensMax: number;
  /** How much of one result or intent is read for them. */
  readonly scanMaxChars: number;
}

export const DEFAULT_PROVENANCE: ProvenanceSettings = {
  enabled: true,
  resultTokensMax: 1024,
  scanMaxChars: 256 * 1024,
};

export function provenanceSettings(config: Config['ingest']['provenance']): ProvenanceSettings {
  return {
    enabled: config.enabled,
    resultTokensMax: config.result_tokens_max,
    scanMaxChars: config.scan_max_bytes,
  };
}
