import type { RegistryDocument } from '../../schemas/registry.ts';
import { boundedMemo } from './bounded-memo.ts';
import { matcherOf } from './glob.ts';
import type { RegisteredAgent, RegisteredClient, Registry } from './registry.ts';
import { toolAccess } from './tool-patterns.ts';
import { worksWithin } from './working-hours.ts';

type Entry<K extends 'clients' | 'agents'> = NonNullable<RegistryDocument[K]>[number];

export function registeredClient(client: Entry<'clients'>): RegisteredClient {
  return {
    name: client.name,
    zone: client.zone,
    environments: client.environments ?? [],
    servers: client.servers,
    allowsTool: toolAccess(client.tools),
  };
}

/** The first entry whose pattern matches, in the order given. */
export function compileAgents(agents: readonly Entry<'agents'>[]): Registry['agent'] {
  if (agents.length === 0) return () => undefined;
  const rules = agents.map((agent) => ({
    matches: matcherOf([agent.id]),
    registered: registeredAgent(agent),
  }));
  const memo = boundedMemo<RegisteredAgent | undefined>();
  return (id) =>
    id === undefined ? undefined : memo(id, () => rules.find(({ matches }) => matches(id))?.registered);
}

function registeredAgent(agent: Entry<'agents'>): RegisteredAgent {
  return {
    id: agent.id,
    environments: agent.environments ?? [],
    servers: agent.servers,
    allowsTool: toolAccess(agent.tools),
    grants: agent.grants,
    worksAt: worksWithin(agent.hours),
  };
}
