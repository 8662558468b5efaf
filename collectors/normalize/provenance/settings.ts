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
