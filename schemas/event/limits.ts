/** Bounds on what one event may hold; the normaliser truncates or drops beyond them and counts what it cut. */
export const limits = {
  idChars: 256,
  nameChars: 256,
  summaryChars: 2048,
  attributeCount: 64,
  attributeKeyChars: 128,
  attributeValueChars: 1024,
  destinations: 32,
  grants: 128,
  tenantChars: 63,
  receiptChars: 96 * 1024,
  values: 64,
  valuePathChars: 128,
  /** Distinct words of one text whose fingerprints are kept. */
  tokens: 1024,
  listedTools: 1024,
  descriptionChars: 512,
} as const;
