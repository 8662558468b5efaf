import type { z } from 'zod';

interface Named {
  readonly name: string;
  readonly tenants?: readonly string[] | undefined;
}
interface Zoned extends Named {
  readonly zone?: string | undefined;
}
interface Referring {
  readonly zones?: readonly Named[] | undefined;
  readonly servers?: readonly (Zoned & { readonly tools?: readonly Zoned[] | undefined })[] | undefined;
  readonly tools?: readonly (Zoned & { readonly server?: string | undefined })[] | undefined;
  readonly clients?: readonly Zoned[] | undefined;
  readonly flows?: readonly { readonly from: string; readonly to: string }[] | undefined;
  readonly budgets?:
    readonly { readonly id: string; readonly tenants?: readonly string[] | undefined }[] | undefined;
  readonly tickets?:
    readonly { readonly id: string; readonly tenants?: readonly string[] | undefined }[] | undefined;
}

type Path = readonly (string | number)[];

/**
 * What a registry says twice, and zones that it does not have: a misspelt zone would switch rules off and nobody would
 * see it. Servers and tools that other entries name need not be registered.
 */
export function checkReferences(document: Referring, context: z.core.$RefinementCtx): void {
  const refuse = (path: Path, message: string) =>
    context.addIssue({ code: 'custom', path: [...path], message });
  const zones = new Set((document.zones ?? []).map(({ name }) => name));
  const needZone = (zone: string | undefined, path: Path) => {
    if (zone !== undefined && !zones.has(zone))
      refuse(path, `there is no zone ${JSON.stringify(zone)} under zones`);
  };
  const once = (
    list: readonly Named[] | undefined,
    path: Path,
    member: string,
    seen = new Map<string, boolean>(),
  ) => {
    list?.forEach(({ name, tenants }, index) => {
      const copies = tenants === undefined ? [''] : tenants;
      for (const tenant of copies) {
        const key = `${tenant}\n${name}`;
        if (seen.has(key)) refuse([...path, index, member], `${JSON.stringify(name)} has an entry already`);
        seen.set(key, true);
      }
    });
  };

  once(document.zones, ['zones'], 'name');
  once(document.servers, ['servers'], 'name');
  document.servers?.forEach((server, index) => {
    needZone(server.zone, ['servers', index, 'zone']);
    once(server.tools, ['servers', index, 'tools'], 'name');
    server.tools?.forEach((tool, at) => needZone(tool.zone, ['servers', index, 'tools', at, 'zone']));
  });
  const elsewhere = document.tools?.map((tool) => ({ ...tool, name: `${tool.server ?? '*'}/${tool.name}` }));
  once(elsewhere, ['tools'], 'name');
  document.tools?.forEach((tool, index) => needZone(tool.zone, ['tools', index, 'zone']));
  once(document.clients, ['clients'], 'name');
  document.clients?.forEach((client, index) => needZone(client.zone, ['clients', index, 'zone']));
  document.flows?.forEach(({ from, to }, index) => {
    if (from !== '*') needZone(from, ['flows', index, 'from']);
    if (to !== '*') needZone(to, ['flows', index, 'to']);
  });
  once(document.budgets?.map(named), ['budgets'], 'id');
  once(document.tickets?.map(named), ['tickets'], 'id');
}

function named<T extends { readonly id: string }>(entry: T): T & Named {
  return { ...entry, name: entry.id };
}
