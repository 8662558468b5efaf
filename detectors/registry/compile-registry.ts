import { readRegistry } from '../../schemas/read-registry.ts';
import type { CompleteKind, RegistryDocument } from '../../schemas/registry.ts';
import { boundedMemo } from './bounded-memo.ts';
import { compileAgents, registeredClient } from './compile-access.ts';
import { compileBudgets } from './compile-budgets.ts';
import { compileTools, ownFirst } from './compile-tools.ts';
import { documentDigest } from './document-digest.ts';
import { matcherOf } from './glob.ts';
import { hostTable } from './host-table.ts';
import type { RegisteredTicket, RegisteredZone, Registry } from './registry.ts';

type Restricted = { readonly tenants?: readonly string[] | undefined };

/**
 * Compiles what a `policy_document` event holds: the document of registry.yaml, or a list of tools. With a tenant, entries for
 * other tenants are left out and those for it go before those for all; without one, all entries count. Tenants for which the
 * same entries hold share one compiled registry. A value that is no registry decides nothing: whoever brings a
 * document into force has validated it.
 */
export function compileRegistry(value: unknown, tenant?: string): Registry {
  return prepared(value)(tenant);
}

const preparedOnes = new WeakMap<object, (tenant?: string) => Registry>();

/** A document is read once, however many tenants ask. */
function prepared(value: unknown): (tenant?: string) => Registry {
  if (typeof value !== 'object' || value === null) return prepare({ version: 1 });
  const known = preparedOnes.get(value);
  if (known !== undefined) return known;
  const made = prepare(readRegistry(value).document ?? { version: 1 });
  preparedOnes.set(value, made);
  return made;
}

const COMPILED_MAX = 64;

function prepare(document: RegistryDocument): (tenant?: string) => Registry {
  const digest = documentDigest(document);
  const restrictions = restrictionsOf(document);
  const matchers = restrictions.map((tenants) => matcherOf(tenants));
  const memo = boundedMemo<Registry>(COMPILED_MAX);
  return (tenant) => {
    if (tenant === undefined) return memo('', () => compile(document, digest, () => true));
    const held = new Set(restrictions.filter((_, index) => matchers[index]?.(tenant)));
    const signature = restrictions.map((tenants) => (held.has(tenants) ? '1' : '0')).join('');
    const texts = new Set([...held].map(restrictionText));
    return memo(`of ${signature}`, () =>
      compile(
        document,
        digest,
        ({ tenants }) => tenants === undefined || texts.has(restrictionText(tenants)),
      ),
    );
  };
}

const restrictionText = (tenants: readonly string[]) => tenants.join('\n');

/** Each list of tenants that any entry has, once. */
function restrictionsOf(document: RegistryDocument): (readonly string[])[] {
  const lists = [
    document.zones,
    document.servers,
    document.servers?.flatMap(({ tools = [] }) => tools),
    document.tools,
    document.clients,
    document.agents,
    document.flows,
    document.destinations,
    document.budgets,
    document.tickets,
  ];
  const found = new Map<string, readonly string[]>();
  for (const list of lists as (readonly Restricted[] | undefined)[])
    for (const { tenants } of list ?? [])
      if (tenants !== undefined) found.set(restrictionText(tenants), tenants);
  return [...found.values()];
}

function compile(
  document: RegistryDocument,
  digest: string,
  holdsHere: (entry: Restricted) => boolean,
): Registry {
  const here = <T extends Restricted>(entries: readonly T[] | undefined) =>
    ownFirst(entries ?? [], holdsHere);
  const complete = new Set<CompleteKind>(document.complete);
  const zones = firstOf(here(document.zones).map((zone) => [zone.name, zone]));
  const registeredZones = new Map<string, RegisteredZone>(
    [...zones].map(([name, { trust, environment }]) => [name, { name, trust, environment }]),
  );
  const destinationZones = hostTable(
    [...zones].flatMap(([name, { destinations = [] }]) =>
      destinations.map((host) => ({ host, value: name })),
    ),
    (known) => known,
  );
  const destinations = hostTable(
    here(document.destinations).flatMap(({ hosts, allow }) => hosts.map((host) => ({ host, value: allow }))),
    (known, next) => known && next,
  );
  const tools = compileTools(here(document.servers), here(document.tools), holdsHere);
  const clients = firstOf(here(document.clients).map((client) => [client.name, registeredClient(client)]));
  const tickets = firstOf(here(document.tickets).map((ticket) => [ticket.id, registeredTicket(ticket)]));
  return {
    digest,
    isComplete: (kind) => complete.has(kind),
    server: (name) => tools.server(name),
    tool: (server, name) => tools.tool(server, name),
    client: (name) => (name === undefined ? undefined : clients.get(name)),
    agent: compileAgents(here(document.agents)),
    zone: (name) => (name === undefined ? undefined : registeredZones.get(name)),
    zoneOfDestination(destination) {
      const name = destinationZones.find(destination);
      return name === undefined ? undefined : registeredZones.get(name);
    },
    allowsDestination: (destination) => destinations.find(destination),
    allowsFlow: compileFlows(here(document.flows)),
    ticket(id, atMs) {
      const found = id === undefined ? undefined : tickets.get(id);
      return found !== undefined && atMs >= found.fromMs && atMs < found.untilMs ? found.ticket : undefined;
    },
    knowsTickets: tickets.size > 0 || complete.has('tickets'),
    budgets: compileBudgets(here(document.budgets)),
  };
}

/** The first of each name. */
function firstOf<T>(entries: readonly (readonly [string, T])[]): ReadonlyMap<string, T> {
  return new Map([...entries].reverse());
}

/** The first flow that says something decides. */
function compileFlows(flows: NonNullable<RegistryDocument['flows']>): Registry['allowsFlow'] {
  const memo = boundedMemo<boolean | undefined>();
  return (from, to, dataClass) =>
    memo(
      `${from}\n${to}\n${dataClass ?? ''}`,
      () =>
        flows.find(
          (flow) =>
            (flow.from === '*' || flow.from === from) &&
            (flow.to === '*' || flow.to === to) &&
            (flow.data_classes === undefined ||
              (dataClass !== undefined && flow.data_classes.includes(dataClass))),
        )?.allow,
    );
}

function registeredTicket({
  id,
  from,
  until,
  agents,
  tools,
  approver,
}: NonNullable<RegistryDocument['tickets']>[number]) {
  const ticket: RegisteredTicket = { id, agents, tools, approver };
  return {
    ticket,
    fromMs: from === undefined ? -Infinity : Date.parse(from),
    untilMs: until === undefined ? Infinity : Date.parse(until),
  };
}
