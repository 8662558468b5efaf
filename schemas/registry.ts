import { z } from 'zod';
import { actionClass } from './event/tool.ts';
import { checkReferences } from './registry-references.ts';

/**
 * registry.yaml, version 1: what people have decided about servers, tools, clients and agents. Everything but `version` may be
 * left out; what is left out is not decided. Nothing has a default here: what is in the ledger is what somebody wrote.
 */
export const REGISTRY_VERSION = 1;

/** Bounds of a document; a record in the log must hold it. */
export const registryLimits = {
  entries: 10_000,
  list: 1_000,
  nameChars: 256,
  textChars: 1_024,
} as const;

const name = z.string().min(1).max(registryLimits.nameChars);
const note = z.string().max(registryLimits.textChars);
const names = z.array(name).max(registryLimits.list);
/** `*` stands for any characters, `?` for one. */
const patterns = names;
const entries = <T extends z.ZodType>(entry: T) => z.array(entry).max(registryLimits.entries);

/** Parts of an entry that any kind has. */
const common = {
  /** Only for these tenants; an entry for a tenant goes before one for all. */
  tenants: patterns.optional(),
  owner: name.optional(),
  note: note.optional(),
};

const MINUTES = '([01]\\d|2[0-3]):[0-5]\\d';
const clockTime = z
  .string()
  .regex(new RegExp(`^(${MINUTES}|24:00)$`), 'must be a time of day such as "08:30" (in quotes)');
const day = '(mon|tue|wed|thu|fri|sat|sun)';

const workingHours = z.strictObject({
  days: z
    .string()
    .regex(new RegExp(`^${day}(-${day})?(,${day}(-${day})?)*$`), 'must be days such as mon-fri or sat,sun')
    .optional(),
  from: clockTime,
  /** Not later than `from`: it is on the next day. */
  to: clockTime,
  utc_offset: z
    .string()
    .regex(new RegExp(`^[+-]${MINUTES}$`), 'must be an offset such as "+02:00" (in quotes)')
    .optional(),
});

const toolRules = z.strictObject({ allow: patterns.optional(), deny: patterns.optional() });

const tool = z.strictObject({
  name,
  ...common,
  /** Where it differs from its server's. */
  zone: name.optional(),
  action: actionClass.optional(),
  read_only: z.boolean().optional(),
  destructive: z.boolean().optional(),
  open_world: z.boolean().optional(),
  egress: z.boolean().optional(),
  privileged: z.boolean().optional(),
  requires_ticket: z.boolean().optional(),
  requires_approval: z.boolean().optional(),
  disabled: z.boolean().optional(),
  data_classes: names.optional(),
  definition_digests: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits in lower case'))
    .max(registryLimits.list)
    .optional(),
  limits: z
    .strictObject({
      result_bytes: z.int().positive().optional(),
      item_count: z.int().positive().optional(),
    })
    .optional(),
});

const server = z.strictObject({
  name,
  ...common,
  zone: name.optional(),
  environments: names.optional(),
  hosting: z.enum(['self', 'vendor']).optional(),
  versions: names.optional(),
  transports: z
    .array(z.enum(['stdio', 'http', 'sse']))
    .max(3)
    .optional(),
  behind_gateway: z.boolean().optional(),
  requires_signature: z.boolean().optional(),
  data_classes: names.optional(),
  tools: entries(tool).optional(),
});

const client = z.strictObject({
  name,
  ...common,
  zone: name.optional(),
  environments: names.optional(),
  servers: names.optional(),
  tools: toolRules.optional(),
});

const agent = z.strictObject({
  /** Id or pattern; the first entry that matches counts. */
  id: name,
  ...common,
  environments: names.optional(),
  servers: names.optional(),
  tools: toolRules.optional(),
  grants: names.optional(),
  hours: z.array(workingHours).min(1).max(32).optional(),
});

const zone = z.strictObject({
  name,
  ...common,
  trust: z.enum(['restricted', 'internal', 'vendor', 'external']),
  environment: name.optional(),
  /** Host names (with everything below them), addresses and CIDR blocks. */
  destinations: names.optional(),
});

const flow = z.strictObject({
  ...common,
  /** Zone, or `*`. */
  from: name,
  to: name,
  /** Absent: any, and data of no known class. */
  data_classes: names.min(1).optional(),
  allow: z.boolean(),
});

const destination = z.strictObject({ ...common, hosts: names.min(1), allow: z.boolean() });

const budget = z.strictObject({
  id: name,
  ...common,
  per: z.enum(['agent', 'tool', 'session', 'tenant', 'destination']),
  measure: z.enum(['calls', 'tokens', 'usd', 'argument_bytes', 'result_bytes', 'items']),
  window_sec: z
    .int()
    .min(1)
    .max(31 * 86_400),
  limit: z.number().nonnegative().max(Number.MAX_SAFE_INTEGER),
  agents: patterns.optional(),
  servers: names.optional(),
  tools: patterns.optional(),
});

const ticket = z.strictObject({
  id: name,
  ...common,
  from: z.iso.datetime({ offset: true, error: 'must be a time such as 2026-01-31T08:00:00Z' }).optional(),
  until: z.iso.datetime({ offset: true, error: 'must be a time such as 2026-01-31T08:00:00Z' }).optional(),
  agents: patterns.optional(),
  tools: patterns.optional(),
  approver: name.optional(),
});

/** Kinds of which a document may say that it names all there are. */
export const completeKind = z.enum(['servers', 'tools', 'clients', 'agents', 'destinations', 'tickets']);

export const registryDocument = z
  .strictObject({
    version: z.literal(REGISTRY_VERSION, `must be ${REGISTRY_VERSION}`),
    complete: z.array(completeKind).max(completeKind.options.length).optional(),
    zones: entries(zone).optional(),
    servers: entries(server).optional(),
    /** Tools of a server that has no entry, or of any server. */
    tools: entries(tool.extend({ server: name.optional() })).optional(),
    clients: entries(client).optional(),
    agents: entries(agent).optional(),
    flows: entries(flow).optional(),
    destinations: entries(destination).optional(),
    budgets: entries(budget).optional(),
    tickets: entries(ticket).optional(),
  })
  .superRefine(checkReferences);

export type RegistryDocument = z.infer<typeof registryDocument>;
export type RegistryTool = z.infer<typeof tool>;
export type RegistryServer = z.infer<typeof server>;
export type ToolRules = z.infer<typeof toolRules>;
export type WorkingHours = z.infer<typeof workingHours>;
export type CompleteKind = z.infer<typeof completeKind>;
