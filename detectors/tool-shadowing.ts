import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import {
  holderOf,
  newNameTable,
  noteName,
  rivalsOf,
  type Holder,
  type NameTable,
} from './content/name-table.ts';
import { foldName, isDisguised, isTelling } from './content/tool-names.ts';
import { viewerOf } from './content/viewer.ts';
import { addDistinct, keptEntry } from './counters/kept-entry.ts';
import type { DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { tellOnce, type ToldLately } from './learning/told-lately.ts';
import { describePoison, describeShadow, type Shadow } from './tool-shadowing-words.ts';

interface ShadowTenant {
  readonly table: NameTable;
  /** Servers that each session, agent or client sees, by hash; least recently seen first. */
  readonly views: Map<number, string[]>;
  readonly told: ToldLately;
}

/** The session's own view and the key it is of: hashing it again for every call would cost more than the rest. */
interface ShadowSession {
  key: string;
  view: number;
}

type Listed = NonNullable<CustodyEvent['listed_tools']>[string];

const maxViews = 512;
const maxServersInView = 16;
/** Names compared with all others, of one event. */
const maxSearches = 64;
const maxFindings = 8;
const againMs = 30 * 24 * 3_600_000;
const noneListed: readonly [string, Listed][] = [];

/** A tool that goes by another server's tool's name, or whose description speaks to the model or of another server's tool. */
export function toolShadowing(config: DetectConfig['tool_shadowing']): Detector<ShadowTenant, ShadowSession> {
  return {
    id: 'tool-shadowing',
    version: 1,
    kinds: ['tool_list', 'tool_call'],
    newTenantState: () => ({ table: newNameTable(), views: new Map(), told: new Map() }),
    newSessionState: () => ({ key: '', view: 0 }),

    // What servers offer is no behaviour: it counts as soon as it is seen.
    step(detected, { tenant, session }, raise) {
      const { event, timeMs, call, fresh } = detected;
      const server = event.server?.name;
      if (server === undefined) return;
      const isList = event.kind === 'tool_list';
      if (!isList && (call === undefined || !fresh.call)) return;
      const listed = event.listed_tools === undefined ? noneListed : Object.entries(event.listed_tools);
      const tools = isList ? toolsListed(event) : [call?.tool ?? ''];
      const others = seenTogether(tenant, session, detected, server);
      let searches = 0;
      let findings = 0;
      for (const tool of tools) {
        if (tool === '') continue;
        searches += 1;
        const digest = isList ? digestOf(event, tool) : event.tool?.definition_digest;
        const holder: Holder = { server, tool, sinceMs: timeMs, eventId: event.event_id, digest };
        const folded = noteName(tenant.table, holder, config.look_alike_min_chars, searches <= maxSearches);
        if (others.length === 0) continue;
        const own = holderOf(tenant.table, folded, server, tool) ?? holder;
        for (const rival of rivalsOf(tenant.table, folded, server))
          if (
            others.includes(rival.server) &&
            findings < maxFindings &&
            judgePair(config, detected, own, rival, tenant, raise)
          )
            findings += 1;
      }
      for (const [tool, definition] of listed)
        if (
          findings < maxFindings &&
          judgeText(detected, { server, tool, definition, others }, tenant, raise)
        )
          findings += 1;
    },
  };
}

function toolsListed({ listed_tools: listed, tool_definitions: definitions }: CustodyEvent): string[] {
  return [...new Set([...Object.keys(listed ?? {}), ...Object.keys(definitions ?? {})])];
}

/** Names are hostile: one may be that of a member every object has. */
function digestOf({ tool_definitions: definitions }: CustodyEvent, tool: string): string | undefined {
  return definitions !== undefined && Object.hasOwn(definitions, tool) ? definitions[tool] : undefined;
}

/** Notes who sees the server; gives back the other servers they see. */
function seenTogether(
  { views }: ShadowTenant,
  session: ShadowSession,
  detected: DetectEvent,
  server: string,
): string[] {
  const { key, rank } = detected.session;
  const others: string[] = [];
  if (rank > 0 && key !== '') {
    if (session.key !== key) {
      session.key = key;
      session.view = itemHash(`in\n${key}`);
    }
    noteServer(views, session.view, server, others);
  }
  const viewer = viewerOf(detected);
  if (viewer !== undefined) noteServer(views, viewer, server, others);
  return others;
}

const newView = (): string[] => [];

function noteServer(views: ShadowTenant['views'], view: number, server: string, others: string[]): void {
  const seen = keptEntry(views, view, maxViews, newView);
  addDistinct(seen, server, maxServersInView);
  for (const other of seen) if (other !== server && !others.includes(other)) others.push(other);
}

function judgePair(
  config: DetectConfig['tool_shadowing'],
  { registry, timeMs }: DetectEvent,
  one: Holder,
  other: Holder,
  { told }: ShadowTenant,
  raise: Raise,
): boolean {
  const [first, second] = one.sinceMs <= other.sinceMs ? [one, other] : [other, one];
  const disguised =
    isDisguised(first.tool) !== isDisguised(second.tool) ||
    (isDisguised(second.tool) && first.tool !== second.tool);
  const same = first.tool === second.tool;
  const registered = (holder: Holder) => registry?.server(holder.server) !== undefined;
  const bothKnown = registered(first) && registered(second);
  const sameDefinition = same && first.digest !== undefined && first.digest === second.digest;
  const late = second.sinceMs - first.sinceMs >= config.established_ms;
  const outsider = registered(first) && !registered(second);
  const shadow: Shadow = { first, second, same, disguised, sameDefinition, late, outsider };
  const severity = severityOf(shadow, bothKnown);
  // Two servers with many names in common are one matter.
  const matter =
    severity === 'low'
      ? `pair\n${first.server}\n${second.server}`
      : `${first.server}\n${first.tool}\n${second.server}\n${second.tool}`;
  if (!tellOnce(told, matter, timeMs, againMs)) return false;
  raise(describeShadow(shadow, severity));
  return true;
}

/**
 * Many servers have a `search`: the same name is a note. It is more when the newcomer is not registered and the other
 * is, or when a look-alike comes after the name was somebody's; most when letters are not what they look like.
 */
function severityOf(
  { disguised, same, sameDefinition, late, outsider }: Shadow,
  bothKnown: boolean,
): Finding['severity'] {
  if (disguised) return 'high';
  if (bothKnown || sameDefinition) return 'low';
  return outsider || (late && !same) ? 'medium' : 'low';
}

interface Text {
  readonly server: string;
  readonly tool: string;
  readonly definition: Listed;
  /** Servers seen by who sees this one. */
  readonly others: readonly string[];
}

/** The description gives orders, or names a tool of another server that the same agent sees. */
function judgeText(
  { registry, event, timeMs }: DetectEvent,
  { server, tool, definition, others }: Text,
  { table, told }: ShadowTenant,
  raise: Raise,
): boolean {
  const whole = event.tool_definitions?.[tool];
  if (whole !== undefined && registry?.tool(server, tool)?.definitionDigests.includes(whole) === true)
    return false;
  const orders = (definition.shapes?.['instruction'] ?? 0) > 0;
  const named =
    others.length === 0 ? undefined : namedElsewhere(table, definition.description ?? '', server, others);
  if (!orders && named === undefined) return false;
  const matter = `text\n${server}\n${tool}\n${definition.description_digest ?? whole ?? ''}`;
  if (!tellOnce(told, matter, timeMs, againMs)) return false;
  raise(describePoison({ server, tool, text: definition.description ?? '', orders, named }));
  return true;
}

/** A tool of another server named in the text, and not a tool of its own. */
function namedElsewhere(
  table: NameTable,
  text: string,
  server: string,
  others: readonly string[],
): Holder | undefined {
  for (const word of new Set(text.match(/[\p{L}\p{N}_.-]{6,128}/gu) ?? [])) {
    const name = word.replace(/^[.-]+|[.-]+$/g, '');
    if (!isTelling(name)) continue;
    const holders = table.names.get(foldName(name))?.holders ?? [];
    if (holders.some((holder) => holder.server === server)) continue;
    const other = holders.find((holder) => others.includes(holder.server));
    if (other !== undefined) return other;
  }
  return undefined;
}
