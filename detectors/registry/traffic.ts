/** What the ledger has seen, summed up by tenant: what a registry is learned from and held against. */
export interface Traffic {
  readonly servers: readonly SeenServer[];
  readonly tools: readonly SeenTool[];
  readonly clients: readonly SeenCaller[];
  readonly agents: readonly SeenAgent[];
  readonly destinations: readonly SeenDestination[];
  /** Kinds of which there is more than was read. */
  readonly cut: readonly string[];
}

interface Seen {
  readonly tenant: string;
  /** How often; one call may be told by several observers. */
  readonly observations: number;
}

export interface SeenServer extends Seen {
  readonly name: string;
  readonly versions: readonly string[];
  readonly transports: readonly string[];
  readonly environments: readonly string[];
}

export interface SeenTool extends Seen {
  /** `undefined`: nobody told. */
  readonly server: string | undefined;
  readonly name: string;
  /** Most often. */
  readonly action: string;
  /** The server's own word; `undefined` where it said nothing. */
  readonly readOnly: boolean | undefined;
  readonly destructive: boolean | undefined;
  readonly openWorld: boolean | undefined;
  /** Observations with a change ticket. */
  readonly ticketed: number;
  /** Different destinations of its calls. */
  readonly destinationCount: number;
  /** Types of secrets and personal data found in its results. */
  readonly findings: readonly string[];
  readonly definitionDigests: readonly string[];
}

export interface SeenCaller extends Seen {
  /** Client name or agent id. */
  readonly name: string;
  readonly servers: readonly string[];
  /** `server/tool`, or `tool` where the server was not told. */
  readonly tools: readonly string[];
  readonly environments: readonly string[];
}

export interface SeenAgent extends SeenCaller {
  readonly grants: readonly string[];
}

export interface SeenDestination extends Seen {
  readonly host: string;
}
