import type { RegistryDocument } from '../../schemas/registry.ts';
import { compileRegistry } from './compile-registry.ts';
import type { Traffic } from './traffic.ts';

type Kind = 'server' | 'tool' | 'client' | 'agent' | 'destination';

/** Where what was seen and what is registered part. */
export interface Drift {
  readonly kind: Kind;
  /** `definition`: a definition nobody has reviewed; `version`: a version that is not listed; `disabled`: seen though disabled. */
  readonly state: 'unregistered' | 'unseen' | 'definition' | 'version' | 'disabled';
  readonly name: string;
  /** `undefined`: of no tenant in particular. */
  readonly tenant: string | undefined;
  readonly observations: number;
}

/** Holds what was seen against a registry, by tenant; then tells what is registered and was seen by no tenant. */
export function driftOf(document: RegistryDocument, traffic: Traffic): Drift[] {
  const found: Drift[] = [];
  const registryOf = (tenant: string) => compileRegistry(document, tenant);
  const used = new Set<unknown>();
  const use = (kind: Kind, name: string | undefined) => used.add(`${kind}\n${name ?? ''}`);
  const add = (
    kind: Kind,
    state: Drift['state'],
    name: string,
    seen: { tenant: string; observations: number },
  ) => void found.push({ kind, state, name, tenant: seen.tenant, observations: seen.observations });

  for (const seen of traffic.servers) {
    const server = registryOf(seen.tenant).server(seen.name);
    if (server === undefined) add('server', 'unregistered', seen.name, seen);
    else if (server.versions.length > 0)
      for (const version of seen.versions)
        if (!server.versions.includes(version)) add('server', 'version', `${seen.name} ${version}`, seen);
    use('server', server?.name);
  }
  for (const seen of traffic.tools) {
    const name = toolName(seen.server, seen.name);
    const tool = registryOf(seen.tenant).tool(seen.server, seen.name);
    if (tool === undefined) {
      add('tool', 'unregistered', name, seen);
      continue;
    }
    use('tool', toolName(tool.server, tool.name));
    if (tool.disabled) add('tool', 'disabled', name, seen);
    if (tool.definitionDigests.length > 0)
      for (const digest of seen.definitionDigests)
        if (!tool.definitionDigests.includes(digest)) add('tool', 'definition', `${name} ${digest}`, seen);
  }
  for (const seen of traffic.clients) {
    const client = registryOf(seen.tenant).client(seen.name);
    if (client === undefined) add('client', 'unregistered', seen.name, seen);
    use('client', client?.name);
  }
  for (const seen of traffic.agents) {
    const agent = registryOf(seen.tenant).agent(seen.name);
    if (agent === undefined) add('agent', 'unregistered', seen.name, seen);
    use('agent', agent?.id);
  }
  for (const seen of traffic.destinations) {
    const registry = registryOf(seen.tenant);
    if (
      registry.allowsDestination(seen.host) === undefined &&
      registry.zoneOfDestination(seen.host) === undefined
    )
      add('destination', 'unregistered', seen.host, seen);
  }
  found.sort((a, b) => b.observations - a.observations);

  const unseen = (kind: Kind, names: readonly string[]) => {
    for (const name of new Set(names))
      if (!used.has(`${kind}\n${name}`))
        found.push({ kind, state: 'unseen', name, tenant: undefined, observations: 0 });
  };
  const { servers = [], tools = [], clients = [], agents = [] } = document;
  unseen(
    'server',
    servers.map(({ name }) => name),
  );
  unseen('tool', [
    ...servers.flatMap((server) => (server.tools ?? []).map(({ name }) => toolName(server.name, name))),
    ...tools.map(({ server, name }) => toolName(server, name)),
  ]);
  unseen(
    'client',
    clients.map(({ name }) => name),
  );
  unseen(
    'agent',
    agents.map(({ id }) => id),
  );
  return found;
}

const toolName = (server: string | undefined, tool: string) =>
  server === undefined ? tool : `${server}/${tool}`;
