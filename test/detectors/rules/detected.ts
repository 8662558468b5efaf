import type { DetectEvent, SourceFacts } from '../../../detectors/detector.ts';

const startMs = Date.UTC(2026, 0, 5, 9);

/** What the engine would tell, from a few words; the members of the event that are not named are absent. */
export function detected(given: Readonly<Record<string, unknown>>): DetectEvent {
  const { decision, action, hasCall, traits, origin, untrusted, ticket, timeMs, ...event } = given;
  const source: SourceFacts | undefined =
    untrusted === undefined
      ? undefined
      : {
          index: 0,
          eventId: 'e',
          toolKey: 'web/read',
          server: 'web',
          zone: undefined,
          untrusted: untrusted === true,
          instructs: false,
        };
  const value = { path: 'text', hash: 1, sizeBytes: 64, randomChars: 0, origin: origin ?? 'none', source };
  const contact = { destination: 'a.example', hash: 2, origin: origin ?? 'none', source };
  const call = {
    index: 0,
    eventId: 'event-1',
    timeMs: startMs,
    tool: 'fetch_page',
    toolKey: 'web/fetch_page',
    toolHash: 1,
    server: 'web',
    zone: undefined,
    action: action ?? 'read',
    traits: {
      changesState: traits === true,
      destructive: traits === true,
      privileged: traits === true,
      untrustedOutput: false,
      egress: traits === true,
    },
    continuation: false,
    destinations: ['a.example'],
    contacts: [contact],
    values: [value],
    flowBytes: 0,
  };
  const plain: unknown = {
    event: JSON.parse(JSON.stringify({ kind: 'tool_call', event_id: 'event-1', tenant: 'acme', ...event })),
    timeMs: timeMs ?? startMs,
    call: hasCall === false ? undefined : call,
    fresh: {
      call: true,
      argumentsSize: true,
      resultSize: true,
      values: true,
      outcome: true,
      destinations: [],
    },
    decision: decision ?? 'none',
    ticket,
    registry: undefined,
    session: {
      key: 's1',
      rank: 2,
      callCount: 0,
      openedMs: startMs,
      quarantined: false,
      untrustedSources: [],
      sensitive: new Map(),
    },
    actorKey: 'agent-1',
  };
  return plain as DetectEvent;
}
