import { z } from 'zod';
import { alertSchema } from '../../schemas/alert.ts';
import { eventSchema } from '../../schemas/event.ts';
import type { ContactFacts, DetectEvent, SourceFacts, ValueFacts } from '../detector.ts';
import type { Shape } from './cel-type.ts';

/** The variables of conditions. Each member is read from what the engine tells a detector about an event. */

type Detected = DetectEvent;

const str = { type: 'string' } as const;
const int = { type: 'integer' } as const;
const bool = { type: 'boolean' } as const;
const strings = { items: str } as const;

const of = (shape: Shape, read: (detected: Detected) => unknown): Shape => ({ ...shape, read });

const source: Shape = {
  properties: {
    tool: { ...str, read: (s: SourceFacts) => s.toolKey },
    server: { ...str, read: (s: SourceFacts) => s.server },
    zone: { ...str, read: (s: SourceFacts) => s.zone },
    untrusted: { ...bool, read: (s: SourceFacts) => s.untrusted },
  },
};

interface Contact extends ContactFacts {
  readonly registry: Detected['registry'];
}

const contact: Shape = {
  properties: {
    destination: str,
    origin: str,
    source,
    zone: { ...str, read: (c: Contact) => c.registry?.zoneOfDestination(c.destination)?.name },
    trust: { ...str, read: (c: Contact) => c.registry?.zoneOfDestination(c.destination)?.trust },
    allowed: { ...bool, read: (c: Contact) => c.registry?.allowsDestination(c.destination) },
  },
};

const value: Shape = {
  properties: {
    path: str,
    size_bytes: { ...int, read: (v: ValueFacts) => v.sizeBytes },
    random_chars: { ...int, read: (v: ValueFacts) => v.randomChars },
    origin: str,
    source,
  },
};

const call: Shape = {
  properties: {
    index: of(int, (d) => d.call?.index),
    tool: of(str, (d) => d.call?.tool),
    tool_key: of(str, (d) => d.call?.toolKey),
    server: of(str, (d) => d.call?.server),
    zone: of(str, (d) => d.call?.zone),
    action: of(str, (d) => d.call?.action),
    destructive: of(bool, (d) => d.call?.traits.destructive),
    privileged: of(bool, (d) => d.call?.traits.privileged),
    untrusted_output: of(bool, (d) => d.call?.traits.untrustedOutput),
    egress: of(bool, (d) => d.call?.traits.egress),
    continuation: of(bool, (d) => d.call?.continuation),
    arguments_bytes: of(int, (d) => d.call?.argumentsBytes),
    result_bytes: of(int, (d) => d.call?.resultBytes),
    category: of(str, (d) => d.call?.category),
    destinations: of(strings, (d) => d.call?.destinations),
    flow_bytes: of(int, (d) => d.call?.flowBytes),
  },
};

const session: Shape = {
  properties: {
    key: of(str, (d) => d.session.key),
    call_count: of(int, (d) => d.session.callCount),
    age_sec: of(int, (d) => Math.max(0, Math.floor((d.timeMs - d.session.openedMs) / 1000))),
    quarantined: of(bool, (d) => d.session.quarantined),
    untrusted: of(bool, (d) => d.session.untrustedSources.length > 0),
    untrusted_sources: of({ items: source }, (d) => d.session.untrustedSources),
    sensitive: of(strings, (d) => [...d.session.sensitive.keys()]),
  },
};

const registeredTool: Shape = {
  properties: {
    zone: str,
    action: str,
    requires_ticket: { ...bool, read: (t: { requiresTicket: boolean }) => t.requiresTicket },
    requires_approval: { ...bool, read: (t: { requiresApproval: boolean }) => t.requiresApproval },
    disabled: bool,
    data_classes: { ...strings, read: (t: { dataClasses: readonly string[] }) => t.dataClasses },
  },
};

const toolOf = (d: Detected) => d.registry?.tool(d.event.server?.name ?? d.call?.server, d.event.tool?.name);
const registry: Shape = {
  properties: {
    in_force: of(bool, (d) => d.registry !== undefined),
    server: of({ properties: { zone: str, hosting: str, environments: strings, transports: strings } }, (d) =>
      d.registry?.server(d.event.server?.name ?? d.call?.server),
    ),
    tool: of(registeredTool, toolOf),
    client: of({ properties: { zone: str, environments: strings } }, (d) =>
      d.registry?.client(d.event.client?.name),
    ),
    agent: of({ properties: { id: str, environments: strings, grants: strings } }, (d) =>
      d.registry?.agent(d.event.actor?.id),
    ),
    agent_works_now: of(bool, (d) => d.registry?.agent(d.event.actor?.id)?.worksAt(d.timeMs)),
    ticket_known: of(bool, (d) => d.registry?.ticket(d.ticket, d.timeMs) !== undefined),
  },
};

const dayMs = 86_400_000;
/** 1970-01-01 was a Thursday; 0 = Monday. */
const weekday = (ms: number) => (Math.floor(ms / dayMs) + 3) % 7;
const time: Shape = {
  properties: {
    ms: of(int, (d) => d.timeMs),
    hour: of(int, (d) => Math.floor((d.timeMs % dayMs) / 3_600_000)),
    weekday: of(int, (d) => weekday(d.timeMs)),
  },
};

const fresh: Shape = {
  properties: {
    call: of(bool, (d) => d.fresh.call),
    outcome: of(bool, (d) => d.fresh.outcome),
    values: of(bool, (d) => d.fresh.values),
    arguments_size: of(bool, (d) => d.fresh.argumentsSize),
    result_size: of(bool, (d) => d.fresh.resultSize),
  },
};

/** Of conditions over events. `ticket` is empty when there is none. */
export const eventVariables: Readonly<Record<string, Shape>> = {
  event: of(z.toJSONSchema(eventSchema) as Shape, (d) => d.event),
  call: of(call, (d) => d),
  session: of(session, (d) => d),
  actor: of(
    {
      properties: {
        key: of(str, (d) => d.actorKey),
        id: of(str, (d) => d.event.actor?.id),
        type: of(str, (d) => d.event.actor?.type),
        user_id: of(str, (d) => d.event.actor?.user_id),
      },
    },
    (d) => d,
  ),
  registry: of(registry, (d) => d),
  time: of(time, (d) => d),
  fresh: of(fresh, (d) => d),
  decision: of(str, (d) => d.decision),
  ticket: of(str, (d) => d.ticket ?? ''),
  contacts: of({ items: contact }, (d) =>
    (d.call?.contacts ?? []).map((each): Contact => ({ ...each, registry: d.registry })),
  ),
  values: of({ items: value }, (d) => d.call?.values ?? []),
};

/** Of conditions of suppressions; the source is the alert. */
export const alertVariables: Readonly<Record<string, Shape>> = {
  alert: { ...(z.toJSONSchema(alertSchema) as Shape), read: (alert: unknown) => alert },
};
