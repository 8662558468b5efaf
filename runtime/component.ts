/** A part of the pipeline with a lifecycle. */
export interface Component {
  /** lower_snake_case, stable; used as a metric label. */
  readonly name: string;
  /** Resolves when the component is ready to do its work. Rejects with a CustodyError if it cannot. */
  start(): Promise<void>;
  /** Drains what was accepted, then releases everything. Safe to call before `start` and more than once. */
  stop(): Promise<void>;
}
