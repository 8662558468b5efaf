import type { RegistryDocument, RegistryServer, RegistryTool } from './registry.ts';

/**
 * A list of tools as other systems keep it: `[{ tool, server, zone, readOnlyHint, destructiveHint, openWorldHint, egress }]`.
 * Members that mean nothing here are passed over. Becomes a registry document that has still to be validated.
 */
export function registryOfToolList(list: readonly unknown[]): unknown {
  const zones = new Set<string>();
  const servers = new Map<string, { zone: string | undefined; tools: Record<string, unknown>[] }>();
  const tools: Record<string, unknown>[] = [];
  const seen = new Set<string>();
  for (const item of list) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      // Kept as it is: validation says where it is wrong.
      tools.push({ name: item });
      continue;
    }
    const entry = item as Readonly<Record<string, unknown>>;
    const tool = toolOf(entry);
    const serverName = textOf(entry, 'server', 'server_name');
    const zone = textOf(entry, 'zone');
    if (zone !== undefined) zones.add(zone);
    const key = `${serverName ?? ''}\n${String(tool['name'])}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (serverName === undefined) {
      tools.push(withZone(tool, zone));
      continue;
    }
    const server = servers.get(serverName) ?? { zone, tools: [] };
    servers.set(serverName, server);
    server.tools.push(withZone(tool, zone === server.zone ? undefined : zone));
  }
  return {
    version: 1,
    ...(zones.size === 0 ? {} : { zones: [...zones].map((name) => ({ name, trust: trustOf(name) })) }),
    ...(servers.size === 0 ? {} : { servers: [...servers].map(([name, server]) => serverOf(name, server)) }),
    ...(tools.length === 0 ? {} : { tools }),
  };
}

/** Words by which people name zones; what says nothing of strangers is ours. */
const TRUST_WORDS: readonly [RegExp, NonNullable<RegistryDocument['zones']>[number]['trust']][] = [
  [/external|public|internet|untrusted|open|world/i, 'external'],
  [/vendor|partner|third|saas|supplier/i, 'vendor'],
  [/restrict|confidential|secret|sensitive|pci|phi/i, 'restricted'],
];

function trustOf(zone: string) {
  return TRUST_WORDS.find(([words]) => words.test(zone))?.[1] ?? 'internal';
}

function serverOf(
  name: string,
  { zone, tools }: { readonly zone: string | undefined; readonly tools: readonly unknown[] },
): Partial<Record<keyof RegistryServer, unknown>> {
  return { name, ...(zone === undefined ? {} : { zone }), tools };
}

const withZone = (tool: Record<string, unknown>, zone: string | undefined) =>
  zone === undefined ? tool : { ...tool, zone };

/** Our name of a member, and what it is called elsewhere. */
const FLAGS: readonly [keyof RegistryTool, readonly string[]][] = [
  ['read_only', ['readOnlyHint', 'read_only', 'readOnly']],
  ['destructive', ['destructiveHint', 'destructive']],
  ['open_world', ['openWorldHint', 'open_world', 'openWorld']],
  ['egress', ['egress', 'egressHint']],
  ['privileged', ['privileged', 'privilegedHint']],
  ['requires_ticket', ['requires_ticket', 'requiresTicket', 'ticketRequired']],
  ['requires_approval', ['requires_approval', 'requiresApproval', 'approvalRequired', 'approval_required']],
  ['disabled', ['disabled']],
];

function toolOf(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const tool: Record<string, unknown> = { name: entry['tool'] ?? entry['name'] };
  for (const [flag, names] of FLAGS) {
    const stated = names.map((name) => entry[name]).find((value) => typeof value === 'boolean');
    if (stated !== undefined) tool[flag] = stated;
  }
  if (typeof entry['action'] === 'string') tool['action'] = entry['action'];
  const classes = entry['data_classes'] ?? entry['dataClasses'];
  if (Array.isArray(classes)) tool['data_classes'] = classes;
  return tool;
}

function textOf(entry: Readonly<Record<string, unknown>>, ...names: readonly string[]): string | undefined {
  return names
    .map((name) => entry[name])
    .find((value): value is string => typeof value === 'string' && value !== '');
}
