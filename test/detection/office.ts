import { sessionEvent, sessionStart } from '../../backtest/recording/session-start.ts';
import { createMessageReader } from '../../backtest/recording/raw-message.ts';
import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import type { Engine } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import { documentDigest } from '../../detectors/registry/document-digest.ts';
import { policyEvent } from '../../pipeline/partition-policies.ts';
import { policyDocumentOf } from '../../pipeline/policy-source.ts';
import { readRuleFiles } from '../../pipeline/rule-files.ts';
import type { Alert } from '../../schemas/alert.ts';
import { CONTROL_TENANT } from '../../schemas/control-tenant.ts';
import { createSharedReplay } from '../../detectors/engine/shared-replay.ts';
import type { SharedChange } from '../../detectors/engine/shared-statistics.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { detectConfig } from '../detectors/sessions.ts';
import { dismissal } from './dismissal.ts';
import type { State } from './judged-sessions.ts';
import { officeRegistry, toolsOf } from './office-tools.ts';

/** One tool call of an agent as its client and the server say it. */
export interface Step {
  readonly server: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly result: string;
}

export interface Work {
  /** What the agent is asked. */
  readonly asked: string;
  readonly steps: readonly Step[];
  /** Until the next session begins. */
  readonly thenMs?: number;
}

export interface RaisedAlert {
  readonly session: number;
  /** Number of the step it was raised at. */
  readonly step: number;
  readonly alert: Alert;
}

export interface OfficeOptions {
  readonly tenant?: string;
  readonly registry?: object;
  /** Tenants share what they know. */
  readonly sharing?: boolean;
  /** Of another office: both are tenants of one engine. */
  readonly partition?: Partition;
}

/** One engine, and everything that its tenants ever told the others. */
export interface Partition {
  readonly engine: Engine;
  readonly told: Map<string, { readonly detector: string; readonly change: SharedChange }>;
  process(event: CustodyEvent, appendTimeMs: number): Alert[];
}

function openPartition(sharing: boolean): Partition {
  const config = detectConfig({ shared_statistics: { enabled: sharing } });
  const engine = createEngine(config);
  const epochs = createSharedReplay(config.shared_statistics.epoch_ms);
  const told: Partition['told'] = new Map();
  return {
    engine,
    told,
    process(event, appendTimeMs) {
      if (sharing) epochs.enter(0, engine, appendTimeMs);
      const alerts = engine.process({ event, appendTimeMs });
      if (sharing)
        for (const [detector, changes] of Object.entries(engine.epochChanges()))
          for (const change of changes) told.set(`${detector} ${change.join(' ')}`, { detector, change });
      return alerts;
    },
  };
}

const TENANT = 'office';
const AGENT = 'desk-agent';
const DIGEST_KEY = Buffer.alloc(32, 9);
export const MONDAY_MS = Date.UTC(2026, 0, 5, 9, 0, 0);
const MESSAGE_MS = 2_000;
const BETWEEN_MS = 20 * 60_000;

/** The office: raw MCP messages through the tap's code into an engine as it runs live. */
export function openOffice(
  from?: { readonly state: State; readonly timeMs: number },
  { tenant = TENANT, registry = officeRegistry, sharing = false, partition: given }: OfficeOptions = {},
) {
  const partition = given ?? openPartition(sharing);
  const { engine } = partition;
  const events: CustodyEvent[] = [];
  const reader = createMessageReader();
  let timeMs = from?.timeMs ?? MONDAY_MS;
  let sessions = 0;
  if (from !== undefined) engine.restore(from.state);
  else if (given === undefined) for (const event of documents(registry)) partition.process(event, timeMs);

  const nano = () => `${timeMs}000000`;
  const context = (): NormalizeContext => ({
    collector: 'mcp_stdio_tap',
    tenant,
    tenantPinned: true,
    observedTimeUnixNano: nano(),
    digestKey: DIGEST_KEY,
  });
  const process = (event: CustodyEvent) => {
    events.push(event);
    return partition.process(event, timeMs);
  };

  function say(session: string, server: string, msg: object): Alert[] {
    timeMs += MESSAGE_MS;
    const record = { tenant, agent: AGENT, session, server, type: 'mcp', msg };
    return reader
      .events({ record, timeUnixNano: nano(), context: context() })
      .flatMap(({ event }) => process(event));
  }

  return {
    engine,
    partition,
    /** What the tap made of it all. */
    events: (): readonly CustodyEvent[] => events,
    now: () => timeMs,
    /** Nobody works before this time; nothing where it has passed. */
    restUntil: (laterMs: number) => void (timeMs = Math.max(timeMs, laterMs)),
    /** Somebody says that the alerts were false alarms: what the sessions showed may be learned. */
    dismiss(raised: readonly RaisedAlert[]): void {
      for (const { alert } of raised)
        process({
          ...sessionEvent('start', { tenant }, nano(), context()),
          ...dismissal(alert),
        });
    },
    /** A session from what was asked to its end. */
    work({ asked, steps, thenMs = BETWEEN_MS }: Work): RaisedAlert[] {
      const number = sessions++;
      const session = `${timeMs}-${number}`;
      const raised: RaisedAlert[] = [];
      const note = (step: number, alerts: readonly Alert[]) => {
        for (const alert of alerts) raised.push({ session: number, step, alert });
      };
      const start = { tenant, agent: AGENT, session, intent: asked };
      note(0, process(sessionStart(start, nano(), context())));
      const listed = new Set<string>();
      let id = 0;
      steps.forEach(({ server, tool, args, result }, step) => {
        if (!listed.has(server)) {
          listed.add(server);
          id += 1;
          note(step, say(session, server, { jsonrpc: '2.0', id, method: 'tools/list', params: {} }));
          note(step, say(session, server, { jsonrpc: '2.0', id, result: { tools: toolsOf(server, tool) } }));
        }
        id += 1;
        const params = { name: tool, arguments: args };
        note(step, say(session, server, { jsonrpc: '2.0', id, method: 'tools/call', params }));
        const content = [{ type: 'text', text: result }];
        note(step, say(session, server, { jsonrpc: '2.0', id, result: { content, isError: false } }));
      });
      timeMs += MESSAGE_MS;
      for (const { event } of reader.end(tenant, session, nano())) note(steps.length, process(event));
      note(steps.length, process(sessionEvent('end', start, nano(), context())));
      timeMs += thenMs;
      return raised;
    },
    state: (): { readonly state: State; readonly timeMs: number } => ({
      state: [...engine.snapshot()].flatMap(({ name, value }) =>
        value === undefined ? [] : [{ name, value }],
      ),
      timeMs,
    }),
  };
}

function documents(registryDocument: object): CustodyEvent[] {
  const text = JSON.stringify(registryDocument);
  const registry: CustodyEvent['policy_document'] = {
    type: 'registry',
    digest: documentDigest(registryDocument),
    document: text,
  };
  const rules = policyEvent(
    `${CONTROL_TENANT}.0`,
    policyDocumentOf('rules', readRuleFiles(['builtin']).document),
    1,
  );
  return [{ ...rules, event_id: '00000000-0000-4000-8000-000000000001', policy_document: registry }, rules];
}
