/** Where the HTTP front over chDB takes orders from a test; no ClickHouse has it. */
export const CONTROL_PATH = '/custody-test-control';

export interface ServerOptions {
  readonly directory: string;
  /** 0 = any free one. */
  readonly port: number;
  /** The only user; without one everybody is let in. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Goes wrong once, with the next statement that contains a text. */
export interface Fault {
  readonly statement: string;
  /** `before`: the statement is not run; `after`: it was run and its answer is not given. */
  readonly when: 'before' | 'after';
  /** Answered as an exception; without one the connection is cut. */
  readonly exception?: { readonly code: number; readonly symbol: string; readonly message: string };
  /** The process kills itself instead. */
  readonly die?: boolean;
}

/** A statement that reached the front, and the settings that came with it in the URL. */
export interface SeenStatement {
  readonly statement: string;
  readonly settings: Readonly<Record<string, string>>;
}
