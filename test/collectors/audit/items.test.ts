import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { acceptCanonicalEvent } from '../../../collectors/audit/canonical-event.ts';
import { auditItems, auditValues } from '../../../collectors/audit/items.ts';
import type { NormalizeContext } from '../../../collectors/normalize/context.ts';
import { InputError } from '../../../runtime/errors.ts';
import { eventSchema } from '../../../schemas/event.ts';
import { verifies } from '../../requirements.ts';
import { sampleEvent } from '../../support/sample-event.ts';

const limits = { depthMax: 40 };
const logger = pino({ level: 'silent' });
const context: NormalizeContext = {
  collector: 'mcp_stdio_tap',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1790000000000000000',
  digestKey: new Uint8Array(32),
};
const tapEvent = () => {
  const event = eventSchema.parse(JSON.parse(Buffer.from(sampleEvent(1)).toString()));
  return { ...event, source: { ...event.source, collector: 'mcp_stdio_tap' as const } };
};

describe('splitting an audit request', () => {
  it('gives the values of NDJSON line by line, whatever the line ends are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.constantFrom('\n', '\r\n', '\n\n', '\n \t\r\n'),
        (values, end) => {
          const body = Buffer.from(values.map((value) => JSON.stringify(value)).join(end));
          const read = [...auditValues(body, 'ndjson', limits, 10_000)];
          expect(read.map((entry) => ('value' in entry ? entry.value : undefined))).toEqual(
            values.map((value) => JSON.parse(JSON.stringify(value))),
          );
        },
      ),
    );
  });

  it('gives values, per-line errors or one InputError for any bytes', () => {
    verifies('P10');
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom('json' as const, 'ndjson' as const), (body, encoding) => {
        try {
          for (const entry of auditValues(body, encoding, limits, 10)) {
            if (entry.error !== undefined) expect(entry.error).toBeInstanceOf(InputError);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('makes a fault of a record that a normaliser trips over, and goes on', () => {
    verifies('P10');
    const values = auditValues(Buffer.from('{"secret-payload":1}\n{"b":1}'), 'ndjson', limits, 10);
    const normalize = (value: unknown) => {
      if (Object.hasOwn(value as object, 'b')) return tapEvent();
      throw new TypeError('secret-payload is not a function');
    };
    const [first, second] = [...auditItems(values, normalize, { logger })];
    expect(first?.fault?.input).toMatchObject({ code: 'internal_error', path: '[0]' });
    expect(first?.fault?.input.reason).not.toContain('secret-payload');
    expect(second?.record?.key).toBe(tapEvent().tenant);
  });
});

describe('a canonical event', () => {
  it('is refused or becomes a valid event, whatever one field is changed to', () => {
    verifies('P10');
    const key = fc.constantFrom(...Object.keys(tapEvent()), '__proto__', 'extra');
    fc.assert(
      fc.property(key, fc.jsonValue(), (name, value) => {
        const changed = JSON.parse(JSON.stringify({ ...tapEvent(), [name]: value })) as unknown;
        try {
          expect(eventSchema.safeParse(acceptCanonicalEvent(changed, context)).success).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
