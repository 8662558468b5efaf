import type { RegistryDocument } from '../../schemas/registry.ts';
import { parseBlock } from './address.ts';
import { matcherOf } from './glob.ts';

/** Something valid that is probably not meant. */
export interface RegistryWarning {
  readonly path: readonly (string | number)[];
  readonly text: string;
}

/** Looks for what is valid and probably not meant. `nowMs` tells which tickets are over. */
export function lintRegistry(document: RegistryDocument, nowMs: number): RegistryWarning[] {
  const found: RegistryWarning[] = [];
  const warn = (path: RegistryWarning['path'], text: string) => void found.push({ path, text });
  const { servers = [], tools = [], zones = [], clients = [], agents = [], destinations = [] } = document;
  const serverNames = new Set(servers.map(({ name }) => name));

  const checkTool = (
    { read_only, destructive, egress, action }: (typeof tools)[number],
    path: RegistryWarning['path'],
  ) => {
    if (read_only === true && destructive === true)
      warn([...path, 'destructive'], 'read_only and destructive are both true');
    if (read_only === true && (action === 'write' || action === 'execute'))
      warn([...path, 'action'], `read_only is true and the action is ${action}`);
    if (action === 'egress' && egress === false)
      warn([...path, 'egress'], 'the action is egress and egress is false');
  };
  servers.forEach((server, index) => {
    if (server.zone === undefined)
      warn(['servers', index], 'has no zone: flows and trust are undecided for it');
    (server.tools ?? []).forEach((tool, at) => checkTool(tool, ['servers', index, 'tools', at]));
  });
  tools.forEach((tool, index) => checkTool(tool, ['tools', index]));

  const checkServers = (list: readonly string[] | undefined, path: RegistryWarning['path']) => {
    if (serverNames.size === 0) return;
    (list ?? []).forEach((name, at) => {
      if (!serverNames.has(name)) warn([...path, at], 'names a server that is not registered');
    });
  };
  clients.forEach(({ servers: list }, index) => checkServers(list, ['clients', index, 'servers']));
  const earlier: { readonly id: string; readonly matches: (id: string) => boolean }[] = [];
  agents.forEach(({ id, tenants, servers: list }, index) => {
    checkServers(list, ['agents', index, 'servers']);
    if (tenants === undefined && earlier.some(({ matches }) => matches(id)))
      warn(['agents', index, 'id'], 'an earlier entry matches these ids already: this one never counts');
    if (tenants === undefined) earlier.push({ id, matches: matcherOf([id]) });
  });

  const checkHosts = (hosts: readonly string[] | undefined, path: RegistryWarning['path']) => {
    (hosts ?? []).forEach((host, at) => {
      if (host.includes('://')) warn([...path, at], 'is a URL: give the host alone');
      else if (/^[^:]+:\d+$/.test(host)) warn([...path, at], 'has a port: destinations in events have none');
      else if (!host.includes('@') && looksLikeAddress(host) && parseBlock(host) === undefined)
        warn([...path, at], 'is no address and no block such as 10.0.0.0/8: it matches nothing');
      else if (/\*./.test(host.replace(/^\*\./, '')))
        warn([...path, at], 'a * is understood alone or before the first dot');
    });
  };
  zones.forEach(({ destinations: hosts }, index) => checkHosts(hosts, ['zones', index, 'destinations']));
  destinations.forEach(({ hosts }, index) => checkHosts(hosts, ['destinations', index, 'hosts']));

  (document.tickets ?? []).forEach(({ from, until }, index) => {
    if (until !== undefined && Date.parse(until) <= nowMs)
      warn(['tickets', index, 'until'], 'is over: the ticket counts no longer');
    if (from !== undefined && until !== undefined && Date.parse(from) >= Date.parse(until))
      warn(['tickets', index, 'until'], 'is not after from: the ticket never counts');
  });
  (document.complete ?? []).forEach((kind, index) => {
    const isEmpty =
      kind === 'tools'
        ? tools.length === 0 && servers.every((server) => (server.tools ?? []).length === 0)
        : (document[kind] ?? []).length === 0;
    if (isEmpty)
      warn(
        ['complete', index],
        `says that all ${kind} are here, and there are none: every one will be a finding`,
      );
  });
  return found;
}

/** Written with a prefix, as four numbers, or with the colons of IPv6: no host name. */
function looksLikeAddress(host: string): boolean {
  return /\/|:.*:|^\d+(\.\d+){3}$/.test(host);
}
