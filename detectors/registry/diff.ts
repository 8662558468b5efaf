import type { RegistryDocument } from '../../schemas/registry.ts';

/** One difference between two registries. */
export interface RegistryChange {
  readonly change: 'added' | 'removed' | 'changed';
  /** `server files`, `tool files/read of acme`. */
  readonly entry: string;
  /** For `changed`: the member, and what it was and is as JSON; absent where it was not there. */
  readonly member?: string;
  readonly before?: string;
  readonly after?: string;
}

type Entry = Readonly<Record<string, unknown>>;

/** What changed, by entry and member; the order of entries counts only where the first that matches decides. */
export function diffRegistries(before: RegistryDocument, after: RegistryDocument): RegistryChange[] {
  const old = entriesOf(before);
  const current = entriesOf(after);
  const changes: RegistryChange[] = [];
  for (const [entry, members] of old) {
    const now = current.get(entry);
    if (now === undefined) changes.push({ change: 'removed', entry });
    else changes.push(...changedMembers(entry, members, now));
  }
  for (const entry of current.keys()) if (!old.has(entry)) changes.push({ change: 'added', entry });
  return changes;
}

function changedMembers(entry: string, before: Entry, after: Entry): RegistryChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().flatMap((member) => {
    const [was, is] = [before[member], after[member]].map((value) =>
      value === undefined ? undefined : JSON.stringify(value),
    );
    if (was === is) return [];
    return [
      {
        change: 'changed' as const,
        entry,
        member,
        ...(was === undefined ? {} : { before: was }),
        ...(is === undefined ? {} : { after: is }),
      },
    ];
  });
}

function entriesOf(document: RegistryDocument): Map<string, Entry> {
  const found = new Map<string, Entry>();
  const add = (kind: string, name: string, entry: Entry) => {
    const { tenants } = entry as { readonly tenants?: readonly string[] };
    const base = `${kind} ${name}${tenants === undefined ? '' : ` of ${tenants.join(', ')}`}`;
    let key = base;
    for (let copy = 2; found.has(key); copy += 1) key = `${base} (${copy})`;
    found.set(key, entry);
  };
  add('document', 'registry', { complete: document.complete, version: document.version });
  for (const { name, ...zone } of document.zones ?? []) add('zone', name, zone);
  for (const { name, tools = [], ...server } of document.servers ?? []) {
    add('server', name, server);
    for (const { name: toolName, ...tool } of tools) add('tool', `${name}/${toolName}`, tool);
  }
  for (const { name, server, ...tool } of document.tools ?? [])
    add('tool', server === undefined ? name : `${server}/${name}`, tool);
  for (const { name, ...client } of document.clients ?? []) add('client', name, client);
  (document.agents ?? []).forEach(({ id, ...agent }, place) => add('agent', id, { ...agent, place }));
  (document.flows ?? []).forEach(({ from, to, ...flow }, place) =>
    add('flow', `${from} to ${to}`, { ...flow, place }),
  );
  for (const { hosts, ...destination } of document.destinations ?? [])
    for (const host of hosts) add('destination', host, destination);
  for (const { id, ...budget } of document.budgets ?? []) add('budget', id, budget);
  for (const { id, ...ticket } of document.tickets ?? []) add('ticket', id, ticket);
  return found;
}
