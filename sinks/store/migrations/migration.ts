/** One step of the store's schema; a released step never changes. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** Run in order; each may be run again after a crash without effect. */
  readonly statements: readonly string[];
}
