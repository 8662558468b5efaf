/** A stored row as it was read, nothing judged. Hashes are hex. Everything in it may be hostile. */
export interface RawEntry {
  readonly log: string;
  readonly tenant: string;
  readonly partition: number;
  readonly seq: bigint;
  readonly topic: string;
  readonly offset: bigint;
  readonly appendTimeMs: bigint;
  /** Days since the epoch. */
  readonly day: number;
  readonly kind: string;
  readonly prev: string;
  readonly bodySha: string;
  readonly leaf: string;
  readonly body: Uint8Array;
}
