import { expect, it } from 'vitest';
import { expandEvents } from '../../../detectors/rules/short-event.ts';
import { eventSchema } from '../../../schemas/event.ts';

it('a short event becomes a canonical one, a second after the one before', () => {
  const [first, second] = expandEvents([
    { tool: 'crm/update', action: 'write', event: { item_count: 3 } },
    { kind: 'policy', decision: 'deny' },
  ]);
  expect(first?.event).toMatchObject({
    kind: 'tool_call',
    server: { name: 'crm' },
    tool: { name: 'update' },
    item_count: 3,
  });
  expect((second?.timeMs ?? 0) - (first?.timeMs ?? 0)).toBe(1000);
  expect(eventSchema.safeParse(second?.event).success).toBe(true);
});

it.each([
  [{ tol: 'x' }, /events.0.tol: no such word/],
  [{ event: { itemcount: 3 } }, /events.0: itemcount/],
  [{ at: 'soon' }, /events.0.at/],
  [{ time: 'soon' }, /events.0.time/],
  [{ items: -1 }, /events.0: item_count/],
])('%j is refused with the place', (short, message) => {
  expect(() => expandEvents([short])).toThrow(message);
});
