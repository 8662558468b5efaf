import type { ActionClass } from '../detector.ts';

/**
 * What people have decided about servers, tools, clients and agents, compiled for lookup: one version of registry.yaml
 * (`schemas/registry.ts`). Lookups are by exact name; `undefined` means nobody has decided.
 */
export interface Registry {
  /** SHA-256 over the canonical JSON of the document. */
  readonly digest: string;
  /** Whether an entry that is missing here is a finding: the file says of which kinds it is complete. */
  readonly isComplete: (kind: 'servers' | 'tools' | 'clients' | 'agents' | 'destinations') => boolean;
  server(name: string | undefined): RegisteredServer | undefined;
  /** By server and tool; a tool of a server that was not told, where only one server has it. */
  tool(server: string | undefined, name: string | undefined): RegisteredTool | undefined;
  client(name: string | undefined): RegisteredClient | undefined;
  /** The first entry whose pattern matches the id. */
  agent(id: string | undefined): RegisteredAgent | undefined;
  zone(name: string | undefined): RegisteredZone | undefined;
  /** Zone of a host or address, by the longest registered suffix. */
  zoneOfDestination(destination: string): RegisteredZone | undefined;
  /** `undefined`: no rule says anything about it. */
  allowsDestination(destination: string): boolean | undefined;
  /** Whether data of the class may go from zone to zone; `undefined`: no rule says anything about it. */
  allowsFlow(fromZone: string, toZone: string, dataClass: string | undefined): boolean | undefined;
  /** The change ticket if it is known and valid at that time. */
  ticket(id: string | undefined, atMs: number): RegisteredTicket | undefined;
  /** Whether any ticket is registered: then a ticket that is not is worth nothing. */
  readonly knowsTickets: boolean;
  budgets(agent: string | undefined, server: string | undefined, tool: string | undefined): readonly Budget[];
}

export interface RegisteredServer {
  readonly name: string;
  readonly zone: string | undefined;
  readonly environments: readonly string[];
  readonly hosting: 'self' | 'vendor' | undefined;
  readonly versions: readonly string[];
  readonly transports: readonly string[];
  /** Every call goes through a gateway: one that only the agent tells of went past it. */
  readonly behindGateway: boolean;
  readonly requiresSignature: boolean;
}

export interface RegisteredTool {
  readonly name: string;
  readonly server: string | undefined;
  /** Own zone, else its server's. */
  readonly zone: string | undefined;
  readonly action: ActionClass | undefined;
  readonly readOnly: boolean | undefined;
  readonly destructive: boolean | undefined;
  /** Its results hold what outsiders wrote: mails, pages, reviews, files from others. */
  readonly openWorld: boolean | undefined;
  /** Its arguments leave for elsewhere. */
  readonly egress: boolean | undefined;
  /** Changes who may do what: grants, keys, passwords, ownership. */
  readonly privileged: boolean | undefined;
  readonly requiresTicket: boolean;
  readonly requiresApproval: boolean;
  readonly disabled: boolean;
  readonly dataClasses: readonly string[];
  /** Definitions somebody has reviewed. */
  readonly definitionDigests: readonly string[];
  readonly resultBytesMax: number | undefined;
  readonly itemCountMax: number | undefined;
}

export interface RegisteredClient {
  readonly name: string;
  readonly zone: string | undefined;
  readonly environments: readonly string[];
  /** `undefined`: any server. */
  readonly servers: readonly string[] | undefined;
  allowsTool(server: string | undefined, tool: string): boolean;
}

export interface RegisteredAgent {
  readonly id: string;
  readonly environments: readonly string[];
  /** `undefined`: any server. */
  readonly servers: readonly string[] | undefined;
  allowsTool(server: string | undefined, tool: string): boolean;
  /** Scopes it may be granted; `undefined`: not decided. */
  readonly grants: readonly string[] | undefined;
  /** Hours of the week (0 = Monday 00:00 UTC) it may work in; `undefined`: any. */
  worksAt(timeMs: number): boolean;
}

export interface RegisteredZone {
  readonly name: string;
  /** `external` is written by strangers; `vendor` is another company's; `internal` is ours; `restricted` holds the most sensitive. */
  readonly trust: 'restricted' | 'internal' | 'vendor' | 'external';
  readonly environment: string | undefined;
}

export interface RegisteredTicket {
  readonly id: string;
  /** `undefined`: any agent, any tool. */
  readonly agents: readonly string[] | undefined;
  readonly tools: readonly string[] | undefined;
  readonly approver: string | undefined;
}

export interface Budget {
  readonly id: string;
  readonly per: 'agent' | 'tool' | 'session' | 'tenant' | 'destination';
  readonly measure: 'calls' | 'tokens' | 'usd' | 'argument_bytes' | 'result_bytes' | 'items';
  readonly windowMs: number;
  readonly limit: number;
}
