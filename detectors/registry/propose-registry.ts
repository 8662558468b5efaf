import type { RegistryDocument, RegistryServer, RegistryTool } from '../../schemas/registry.ts';
import type { ActionClass } from '../detector.ts';
import { actionClass } from '../../schemas/event/tool.ts';
import { traitsOf } from '../engine/tool-traits.ts';
import { grouped } from '../grouped.ts';
import { groupCallers } from './propose-callers.ts';
import { domainsOf } from './propose-destinations.ts';
import type { SeenAgent, SeenCaller, SeenServer, SeenTool, Traffic } from './traffic.ts';

/** A remark about a place of the proposal. Holds numbers and our own words, nothing that a sender wrote. */
export interface Remark {
  readonly path: readonly (string | number)[];
  readonly text: string;
}

export interface Proposal {
  readonly document: RegistryDocument;
  readonly remarks: readonly Remark[];
  /** Names that were left out: they hold wildcards or characters that cannot be seen. */
  readonly unusableNames: number;
}

const LISTED_MAX = 1_000;
const TICKETED_MIN = 5;

/** A registry that allows what was seen and no more; every entry wants a person's eye before it is put into force. */
export function proposeRegistry(traffic: Traffic): Proposal {
  const remarks: Remark[] = [];
  const remark = (path: Remark['path'], text: string) => void remarks.push({ path, text });
  let unusableNames = 0;
  const usable = (name: string): boolean => {
    const isUsable = name !== '' && !UNUSABLE.test(name);
    if (!isUsable) unusableNames += 1;
    return isUsable;
  };

  const tools = [
    ...grouped(
      traffic.tools.filter(({ name }) => usable(name)),
      keyOf,
    ),
  ].map(([, seen]) => seen);
  const ofServer = grouped(tools, ([tool]) => tool?.server ?? '');
  const named = grouped(
    traffic.servers.filter(({ name }) => usable(name)),
    ({ name }) => name,
  );
  for (const server of ofServer.keys())
    if (server !== '' && !named.has(server) && usable(server)) named.set(server, []);
  const servers = [...named]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, seen], index) => serverOf(name, seen, ofServer.get(name) ?? [], ['servers', index], remark));
  const loose = (ofServer.get('') ?? []).map((seen, index) => toolOf(seen, ['tools', index], remark));
  const clients = [
    ...grouped(
      traffic.clients.filter(({ name }) => usable(name)),
      ({ name }) => name,
    ),
  ]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, seen], index) => {
      remark(['clients', index], countText(seen));
      return { name, ...accessOf(seen) };
    });
  const agents = groupCallers(traffic.agents.filter(({ name }) => usable(name))).map(
    ({ id, members }, index) => {
      const ids = new Set(members.map(({ name }) => name)).size;
      remark(
        ['agents', index],
        `${countText(members)}${ids > 1 ? `; guessed: ${ids} ids are of this form` : ''}`,
      );
      return { id, ...accessOf(members), ...grantsOf(members) };
    },
  );
  const domains = domainsOf(traffic.destinations.filter(({ host }) => usable(host))).slice(0, LISTED_MAX);
  const internal = domains.filter(({ isInternal }) => isInternal).map(({ host }) => host);
  const outside = domains.filter(({ isInternal }) => !isInternal);
  remark(['zones', 0], 'guessed: what is ours; add your own domains to destinations');
  remark(
    ['zones', 1],
    'guessed: everything else is written by strangers; give partners a zone with trust: vendor',
  );
  const destinations = outside.map(({ host, observations }, index) => {
    remark(['destinations', index], `named ${times(observations)}; guessed: allowed because it was seen`);
    return { hosts: [host], allow: true };
  });
  const document: RegistryDocument = {
    version: 1,
    zones: [
      { name: 'internal', trust: 'internal', ...(internal.length === 0 ? {} : { destinations: internal }) },
      { name: 'external', trust: 'external', destinations: ['*'] },
    ],
    ...some({ servers, tools: loose, clients, agents, destinations }),
  };
  return { document, remarks, unusableNames };
}

/** Wildcards, control and format characters, halves of characters. */
const UNUSABLE = /[*?\p{C}]/u;
const keyOf = ({ server, name }: SeenTool) => `${server ?? ''}\n${name}`;
const times = (count: number) => (count === 1 ? 'once' : `${count} times`);
const countText = (seen: readonly { readonly observations: number }[]) =>
  `seen ${times(seen.reduce((sum, { observations }) => sum + observations, 0))}`;

/** Members that are not empty. */
function some<T extends Record<string, readonly unknown[]>>(lists: T): Partial<T> {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)) as Partial<T>;
}

type Note = (path: Remark['path'], text: string) => void;

function serverOf(
  name: string,
  seen: readonly SeenServer[],
  tools: readonly (readonly SeenTool[])[],
  path: Remark['path'],
  remark: Note,
): RegistryServer {
  const reachesOut = tools.some((same) =>
    same.some(({ openWorld, action }) => openWorld === true || action === 'egress'),
  );
  remark(path, seen.length === 0 ? 'named by its tools only' : countText(seen));
  remark(
    [...path, 'zone'],
    reachesOut ? 'guessed: a tool of it reaches out' : 'guessed: no tool of it reaches out',
  );
  const known = ['stdio', 'http', 'sse'] as const;
  const transports = known.filter((transport) => seen.some((one) => one.transports.includes(transport)));
  return {
    name,
    zone: reachesOut ? 'external' : 'internal',
    ...some({
      environments: union(seen.map(({ environments }) => environments)),
      versions: union(seen.map(({ versions }) => versions)),
      transports,
      tools: tools.map((same, index) => toolOf(same, [...path, 'tools', index], remark)),
    }),
  };
}

function toolOf(
  seen: readonly SeenTool[],
  path: Remark['path'],
  remark: Note,
): RegistryTool & { server?: string } {
  const name = seen[0]?.name ?? '';
  const action = actionOf(seen);
  const said = (hint: 'readOnly' | 'destructive' | 'openWorld') =>
    seen.map((tool) => tool[hint]).find((value) => value !== undefined);
  const read_only = said('readOnly');
  const guess = traitsOf(
    { name, annotations: { read_only, destructive: said('destructive') } },
    action,
    undefined,
  );
  const observations = seen.reduce((sum, tool) => sum + tool.observations, 0);
  const ticketed = seen.reduce((sum, tool) => sum + tool.ticketed, 0);
  const definition_digests = union(seen.map((tool) => tool.definitionDigests));
  const data_classes = union(seen.map(({ findings }) => findings));
  remark(
    path,
    `${countText(seen)}${said('readOnly') === undefined ? '; guessed by name: what it does' : '; what it does is as the server says'}`,
  );
  if (guess.privileged) remark([...path, 'privileged'], 'guessed by its name');
  if (definition_digests.length > 1)
    remark(
      [...path, 'definition_digests'],
      'several definitions were seen: keep those that somebody has reviewed',
    );
  if (data_classes.length > 0) remark([...path, 'data_classes'], 'found in its results');
  const needsTicket = ticketed >= TICKETED_MIN && ticketed * 10 >= observations * 9;
  if (needsTicket) remark([...path, 'requires_ticket'], 'guessed: nearly all calls had one');
  return {
    name,
    ...(action === 'unknown' ? {} : { action }),
    read_only: read_only ?? action === 'read',
    ...(guess.destructive ? { destructive: true } : {}),
    ...optional('open_world', said('openWorld')),
    ...(action === 'egress' ? { egress: true } : {}),
    ...(guess.privileged ? { privileged: true } : {}),
    ...(needsTicket ? { requires_ticket: true } : {}),
    ...some({
      data_classes,
      definition_digests: definition_digests.filter((digest) => /^[0-9a-f]{64}$/.test(digest)),
    }),
  };
}

const optional = <K extends string>(key: K, value: boolean | undefined) =>
  (value === undefined ? {} : { [key]: value }) as Partial<Record<K, boolean>>;

/** What most observers say. */
function actionOf(seen: readonly SeenTool[]): ActionClass {
  const [most] = [...seen].sort((a, b) => b.observations - a.observations);
  return actionClass.safeParse(most?.action).data ?? 'unknown';
}

function accessOf(seen: readonly SeenCaller[]) {
  const tools = union(seen.map((caller) => caller.tools)).filter((tool) => !UNUSABLE.test(tool));
  const servers = union(seen.map((caller) => caller.servers)).filter((server) => !UNUSABLE.test(server));
  return {
    ...some({ environments: union(seen.map(({ environments }) => environments)), servers }),
    ...(tools.length === 0 || tools.length > LISTED_MAX ? {} : { tools: { allow: tools } }),
  };
}

function grantsOf(seen: readonly SeenAgent[]) {
  return some({ grants: union(seen.map(({ grants }) => grants)).slice(0, LISTED_MAX) });
}

/** All that several lists say, once and in order. */
function union(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort();
}
