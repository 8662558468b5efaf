import { expect, test } from 'vitest';
import { normalizeAudit } from '../../../collectors/normalize/audit.ts';
import type { NormalizeContext } from '../../../collectors/normalize/context.ts';

const context: NormalizeContext = {
  collector: 'audit_http',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1795000000000000000',
  digestKey: Buffer.alloc(32, 1),
};
const call = { 'tool.name': 'read_file', 'session.id': 's' };

test('equal audit records without an id of their own are two events', () => {
  expect(normalizeAudit(call, context, 'request/0').event_id).not.toBe(
    normalizeAudit(call, context, 'request/1').event_id,
  );
});

test.each(['id', 'event_id', 'tool.call_id'])(
  'a record with its own %s keeps its event id when it is sent again',
  (member) => {
    const record = { ...call, [member]: 'abc-1' };
    expect(normalizeAudit(record, context, 'request/0').event_id).toBe(
      normalizeAudit(record, context, 'request/1').event_id,
    );
  },
);
