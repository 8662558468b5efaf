import type { Detector } from '../../detectors/detector.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { callEvent, detectConfig, hex, omit, runner, startMs, uuidOf, type Call } from './sessions.ts';

/** An engine with one detector only. */
export function only(detector: Detector) {
  const run = runner(detectConfig(), { detectors: [detector] });
  let number = 0;
  return {
    ...run,
    /** A call in a session, a second after the last event, and what it changes of it. */
    call(session: string, call: Call, more: Partial<CustodyEvent> = {}, tenant = 'acme') {
      number += 1;
      run.wait(1000);
      return run.send({ ...callEvent(tenant, session, number, run.now(), call), ...more });
    },
    /** An event that is no call, outside any session. */
    tell(event: Partial<CustodyEvent> & Pick<CustodyEvent, 'kind'>, tenant = 'acme') {
      number += 1;
      run.wait(1000);
      const whole = callEvent(tenant, '', number, run.now(), { tool: '' });
      const bare = omit(whole, 'session', 'tool', 'arguments', 'result', 'policy', 'phase', 'actor');
      return run.send({ ...bare, event_id: uuidOf(`told ${number}`), ...event });
    },
    /** The session is over: what it showed is learned. */
    end(session: string, tenant = 'acme') {
      number += 1;
      const whole = callEvent(tenant, session, number, run.now(), { tool: '' });
      return run.send({
        ...omit(whole, 'tool', 'arguments', 'result', 'policy', 'phase'),
        event_id: uuidOf(`end ${number}`),
        kind: 'session',
        session: { key: session, source: 'conversation_id', confidence: 'high', transition: 'end' },
      });
    },
    /** A registry comes into force. */
    decide(document: object) {
      number += 1;
      const text = JSON.stringify({ version: 1, ...document });
      const whole = callEvent('custody-control.0', '', number, run.now(), { tool: '' });
      return run.send({
        ...omit(whole, 'session', 'tool', 'arguments', 'result', 'policy', 'phase', 'actor'),
        event_id: uuidOf(`policy ${number}`),
        kind: 'policy_document',
        policy_document: { type: 'registry', digest: hex(text), document: text },
      });
    },
    elapsedMs: () => run.now() - startMs,
  };
}

export const times = <Value>(count: number, value: (index: number) => Value): Value[] =>
  Array.from({ length: count }, (_, index) => value(index));

/** Size of what the engine keeps, in bytes. */
export function stateBytes(run: Pick<ReturnType<typeof runner>, 'engine'>): number {
  let bytes = 0;
  for (const { value } of run.engine().snapshot()) bytes += value?.length ?? 0;
  return bytes;
}
