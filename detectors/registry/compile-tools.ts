import type { RegistryDocument, RegistryServer, RegistryTool } from '../../schemas/registry.ts';
import type { RegisteredServer, RegisteredTool } from './registry.ts';

export interface ToolTables {
  server(name: string | undefined): RegisteredServer | undefined;
  tool(server: string | undefined, name: string | undefined): RegisteredTool | undefined;
}

/** Servers and their tools by name. Of several entries for one name the first counts: the caller has sorted them. */
export function compileTools(
  servers: readonly RegistryServer[],
  others: NonNullable<RegistryDocument['tools']>,
  holdsHere: (entry: RegistryTool) => boolean,
): ToolTables {
  const byName = new Map<string, RegisteredServer>();
  const tools = new Map<string, Map<string, RegisteredTool>>();
  /** Tools by their own name; `undefined` where servers differ. */
  const bare = new Map<string, RegisteredTool | undefined>();
  const put = (tool: RegistryTool, owner: RegistryServer | undefined, serverName: string | undefined) => {
    const ofServer = tools.get(serverName ?? ANY) ?? new Map<string, RegisteredTool>();
    tools.set(serverName ?? ANY, ofServer);
    if (ofServer.has(tool.name)) return;
    const registered = registeredTool(tool, owner, serverName);
    ofServer.set(tool.name, registered);
    bare.set(tool.name, bare.has(tool.name) ? undefined : registered);
  };
  const entries = new Map<string, RegistryServer>();
  for (const server of servers) {
    if (entries.has(server.name)) continue;
    entries.set(server.name, server);
    byName.set(server.name, registeredServer(server));
    for (const tool of ownFirst(server.tools ?? [], holdsHere)) put(tool, server, server.name);
  }
  for (const tool of others)
    put(tool, tool.server === undefined ? undefined : entries.get(tool.server), tool.server);
  return {
    server: (name) => (name === undefined ? undefined : byName.get(name)),
    tool(server, name) {
      if (name === undefined) return undefined;
      const anywhere = () => tools.get(ANY)?.get(name);
      if (server === undefined) return anywhere() ?? bare.get(name);
      return tools.get(server)?.get(name) ?? anywhere();
    },
  };
}

/** Entries that hold for the tenant, those that name it before those for all. */
export function ownFirst<T extends { readonly tenants?: readonly string[] | undefined }>(
  entries: readonly T[],
  holdsHere: (entry: T) => boolean,
): T[] {
  const here = entries.filter(holdsHere);
  if (here.every(({ tenants }) => tenants === undefined)) return here;
  return [
    ...here.filter(({ tenants }) => tenants !== undefined),
    ...here.filter(({ tenants }) => tenants === undefined),
  ];
}

/** Tools of no server in particular; no server has this name. */
const ANY = '';

function registeredServer(server: RegistryServer): RegisteredServer {
  return {
    name: server.name,
    zone: server.zone,
    environments: server.environments ?? [],
    hosting: server.hosting,
    versions: server.versions ?? [],
    transports: server.transports ?? [],
    behindGateway: server.behind_gateway ?? false,
    requiresSignature: server.requires_signature ?? false,
  };
}

function registeredTool(
  tool: RegistryTool,
  owner: RegistryServer | undefined,
  serverName: string | undefined,
): RegisteredTool {
  return {
    name: tool.name,
    server: serverName,
    zone: tool.zone ?? owner?.zone,
    action: tool.action,
    readOnly: tool.read_only,
    destructive: tool.destructive,
    openWorld: tool.open_world,
    egress: tool.egress,
    privileged: tool.privileged,
    requiresTicket: tool.requires_ticket ?? false,
    requiresApproval: tool.requires_approval ?? false,
    disabled: tool.disabled ?? false,
    dataClasses: tool.data_classes ?? owner?.data_classes ?? [],
    definitionDigests: tool.definition_digests ?? [],
    resultBytesMax: tool.limits?.result_bytes,
    itemCountMax: tool.limits?.item_count,
  };
}
