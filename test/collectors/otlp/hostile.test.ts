import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLogs } from '../../../collectors/otlp/decode-logs.ts';
import { decodeTraces } from '../../../collectors/otlp/decode-traces.ts';
import type { Decoded } from '../../../collectors/otlp/decoded.ts';
import { decodeJsonLogs } from '../../../collectors/otlp/json-logs.ts';
import { decodeJsonTraces } from '../../../collectors/otlp/json-traces.ts';
import { decodeLimits, type DecodeLimits } from '../../../collectors/otlp/limits.ts';
import type { AttributeValue, OtlpSpan } from '../../../collectors/otlp/model.ts';
import { InputError } from '../../../runtime/errors.ts';
import { configSchema } from '../../../schemas/config.ts';
import { asOtlpJson, logRequests, traceRequests } from '../../support/otlp-arbitrary.ts';
import { encode, logsRequest, traceRequest } from '../../support/otlp-proto.ts';
import { verifies } from '../../requirements.ts';

const limits = decodeLimits(configSchema.parse({}).ingest);
const traceId = new Uint8Array(16).fill(0xab);
const spanId = new Uint8Array(8).fill(0xcd);

type Decode = (body: Uint8Array, limits: DecodeLimits) => Iterable<Decoded<unknown>>;

/** Decodes to the end; only an InputError may come out. */
function survives(decode: Decode, body: Uint8Array): void {
  try {
    for (const record of decode(body, limits)) {
      if (record.value === undefined) expect(record.fault).toBeDefined();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toMatch(/^cannot /);
  }
}

function field(number: number, content: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) + (rest > 127 ? 128 : 0));
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}

const ids = Buffer.concat([field(1, traceId), field(2, spanId)]);

/** A request with one span per given content. */
function requestOf(...spans: Uint8Array[]): Buffer {
  return field(1, field(2, Buffer.concat(spans.map((span) => field(2, span)))));
}

function only(decoded: Iterable<Decoded<OtlpSpan>>): Decoded<OtlpSpan> {
  const records = [...decoded];
  expect(records).toHaveLength(1);
  return records[0]!;
}

function spanWith(...fields: Uint8Array[]): OtlpSpan {
  const record = only(decodeTraces(requestOf(Buffer.concat([ids, ...fields])), limits));
  expect(record.fault).toBeUndefined();
  return record.value!;
}

function refusal(body: Uint8Array): InputError {
  try {
    Array.from(decodeTraces(body, limits));
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error('the body was read');
}

const attribute = (key: string, value: Uint8Array) =>
  field(9, Buffer.concat([field(1, Buffer.from(key)), field(2, value)]));

const MUTATIONS = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.constantFrom('flip', 'cut', 'insert', 'repeat'),
    byte: fc.nat(255),
  }),
  { minLength: 1, maxLength: 6 },
);

function mutate(bytes: Uint8Array, mutations: readonly { at: number; kind: string; byte: number }[]): Buffer {
  let out = Buffer.from(bytes);
  for (const { at, kind, byte } of mutations) {
    const place = Math.floor(at * out.length);
    if (kind === 'flip' && out.length > 0) out[place] = byte;
    else if (kind === 'cut') out = out.subarray(0, place);
    else if (kind === 'insert')
      out = Buffer.concat([out.subarray(0, place), Buffer.from([byte]), out.subarray(place)]);
    else if (kind === 'repeat') out = Buffer.concat([out, out.subarray(place)]);
  }
  return out;
}

describe('the protobuf decoders on hostile bytes', () => {
  it('give records or an InputError for any bytes at all', () => {
    verifies('P10');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        survives(decodeTraces, bytes);
        survives(decodeLogs, bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('give records or an InputError for damaged requests', () => {
    verifies('P10');
    fc.assert(
      fc.property(traceRequests, logRequests, MUTATIONS, (traces, logs, mutations) => {
        survives(decodeTraces, mutate(encode(traceRequest, traces), mutations));
        survives(decodeLogs, mutate(encode(logsRequest, logs), mutations));
      }),
      { numRuns: 1000 },
    );
  });

  it('read an empty body as an empty request', () => {
    expect([...decodeTraces(new Uint8Array(0), limits)]).toEqual([]);
  });

  it('name the resource in which the envelope breaks', () => {
    const good = requestOf(ids);
    const bad = field(1, Buffer.from([0x12, 0x7f, 0x00]));
    const error = refusal(Buffer.concat([good, bad]));
    expect(error.path).toBe('resourceSpans[1]');
    expect(error.message).toContain('behind the end of its message');
  });

  it('refuse only the span whose own bytes are broken', () => {
    const records = [...decodeTraces(requestOf(ids, Buffer.from([0x0a, 0x7f, 1]), ids), limits)];
    expect(records.map(({ fault }) => fault === undefined)).toEqual([true, false, true]);
    expect(records[1]?.recordIndex).toBe(1);
    expect(records[1]?.raw()).toEqual(Buffer.from([0x0a, 0x7f, 1]));
  });

  it.each([
    ['a trace id of 15 bytes', [field(1, traceId.subarray(1)), field(2, spanId)], 'traceId'],
    ['no trace id', [field(2, spanId)], 'traceId'],
    ['a trace id of zeros', [field(1, new Uint8Array(16)), field(2, spanId)], 'traceId'],
    ['a span id of 16 bytes', [field(1, traceId), field(2, traceId)], 'spanId'],
    ['a span id of zeros', [field(1, traceId), field(2, new Uint8Array(8))], 'spanId'],
    ['a parent id of 4 bytes', [ids, field(4, new Uint8Array(4).fill(1))], 'parentSpanId'],
    ['a trace id of a megabyte', [field(1, new Uint8Array(1 << 20)), field(2, spanId)], 'traceId'],
  ])('refuse a span with %s and name the field', (_what, fields, path) => {
    const { fault, value } = only(decodeTraces(requestOf(Buffer.concat(fields)), limits));
    expect(fault?.path).toBe(path);
    expect(value?.traceId.length).toBeLessThanOrEqual(128);
  });

  it('read a log record with an id of the wrong length as one without it', () => {
    const body = field(1, field(2, field(2, field(9, new Uint8Array(5).fill(1)))));
    const [record] = [...decodeLogs(body, limits)];
    expect(record?.fault).toBeUndefined();
    expect(record?.value?.traceId).toBeUndefined();
  });

  it('replace invalid UTF-8 and keep the record', () => {
    expect(spanWith(field(5, Buffer.from([0x61, 0xff, 0xc3, 0x62]))).name).toBe('a\ufffd\ufffdb');
  });

  it('cut a long string between characters', () => {
    const small = { ...limits, stringMaxBytes: 1024 };
    const body = requestOf(Buffer.concat([ids, field(5, Buffer.from('€'.repeat(1000)))]));
    const { value } = only(decodeTraces(body, small));
    expect(value?.name).toBe('€'.repeat(341));
  });

  it('skip a known field of another wire type', () => {
    expect(spanWith(Buffer.from([5 << 3, 7]), field(5, Buffer.from('kept'))).name).toBe('kept');
  });

  it('let the last of a repeated field count', () => {
    expect(spanWith(field(5, Buffer.from('one')), field(5, Buffer.from('two'))).name).toBe('two');
    const repeated = spanWith(
      attribute('k', field(1, Buffer.from('first'))),
      attribute('k', field(1, Buffer.from('last'))),
    );
    expect(repeated.attributes).toEqual(new Map([['k', 'last']]));
  });

  it.each([
    ['a group', [0x0b, 0x0c], 'wire type 3'],
    ['a group end', [0x0c], 'wire type 4'],
    ['wire type 7', [0x0f], 'wire type 7'],
    ['field number 0', [0x02, 0x00], 'field number'],
    ['a varint of 11 bytes', [0x10, ...new Array<number>(10).fill(0xff), 0x01], 'longer than 10 bytes'],
    ['a length near 2^63', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 'behind the end'],
    ['an end inside a tag', [0x8a], 'ends inside a varint'],
    ['an end inside a fixed64', [0x09, 1, 2, 3], 'ends inside a value'],
  ])('refuse a request with %s', (_what, bytes, reason) => {
    expect(refusal(Buffer.from(bytes)).message).toContain(reason);
  });

  it('accept a varint padded to 10 bytes', () => {
    const padded = Buffer.from([6 << 3, 0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
    expect(spanWith(padded).kind).toBe(3);
  });

  it('read undefined enum values, also negative ones, as unspecified', () => {
    expect(spanWith(Buffer.from([6 << 3, 99])).kind).toBe(0);
    const minusOne = Buffer.from([6 << 3, ...new Array<number>(9).fill(0xff), 0x01]);
    expect(spanWith(minusOne).kind).toBe(0);
  });

  it('read values nested deeper than the limit as null and count them', () => {
    let value: Uint8Array = field(1, Buffer.from('bottom'));
    for (let depth = 0; depth < 200; depth++) value = field(5, field(1, value));
    const span = spanWith(attribute('deep', value));
    let at: AttributeValue | undefined = span.attributes.get('deep');
    let depth = 0;
    while (Array.isArray(at)) {
      at = (at as readonly AttributeValue[])[0];
      depth++;
    }
    expect(at).toBeNull();
    expect(depth).toBe(limits.depthMax - 1);
    expect(span.droppedAttributesCount).toBe(1);
  });

  it('read 100 000 levels of nesting without running out of stack', () => {
    const parts: Buffer[] = [];
    let length = 0;
    for (let depth = 0; depth < 100_000; depth++) {
      const inner = Buffer.from([0x2a, ...varint(length + 1 + varint(length).length)]);
      const outer = Buffer.from([0x0a, ...varint(length)]);
      parts.push(outer, inner);
      length += outer.length + inner.length;
    }
    expect(spanWith(attribute('deep', Buffer.concat(parts.reverse()))).droppedAttributesCount).toBe(1);
  });

  it('cut a resource with a million attributes at the limit', () => {
    const attributes = Array.from({ length: 1_000_000 }, (_, i) => field(1, field(1, Buffer.from(`k${i}`))));
    const body = field(1, Buffer.concat([field(1, Buffer.concat(attributes)), field(2, field(2, ids))]));
    const { value } = only(decodeTraces(body, limits));
    expect(value?.resource.size).toBe(limits.attributeMaxCount);
  });

  it('count the attributes of a span beyond the limit as dropped', () => {
    const attributes = Array.from({ length: limits.attributeMaxCount + 7 }, (_, i) =>
      attribute(`k${i}`, field(1, Buffer.from('v'))),
    );
    const span = spanWith(...attributes, Buffer.from([10 << 3, 5]));
    expect(span.attributes.size).toBe(limits.attributeMaxCount);
    expect(span.droppedAttributesCount).toBe(12);
  });

  it('bound the values inside arrays and maps of one span', () => {
    const elements = Buffer.concat(Array.from({ length: 100_000 }, () => field(1, new Uint8Array(0))));
    const span = spanWith(attribute('wide', field(5, elements)));
    expect(span.attributes.get('wide')).toHaveLength(limits.nestedValueMaxCount);
    expect(span.droppedAttributesCount).toBe(100_000 - limits.nestedValueMaxCount);
  });

  it('refuse a request with more records than the limit', () => {
    const spans = Array.from({ length: 11 }, () => ids);
    const error = (() => {
      try {
        return [...decodeTraces(requestOf(...spans), { ...limits, recordsMax: 10 })].length;
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: 'input_too_large', path: 'resourceSpans[0].scopeSpans[0]' });
  });

  it.each([
    '0',
    '1',
    '999999999',
    '4294967296',
    '9007199254740993',
    '1790000000123456789',
    '7258118400000000000',
    '18446744073709551615',
  ])('read the time %s exactly', (time) => {
    const bytes = Buffer.alloc(9, (7 << 3) | 1);
    bytes.writeBigUInt64LE(BigInt(time), 1);
    expect(spanWith(bytes).startTimeUnixNano).toBe(time);
  });
});

describe('the JSON decoders on hostile bytes', () => {
  const refusalOf = (text: string | Uint8Array): InputError => {
    try {
      Array.from(decodeJsonTraces(Buffer.from(text), limits));
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      return error as InputError;
    }
    throw new Error('the body was read');
  };
  const spanJson = (fields: Record<string, unknown>) =>
    Buffer.from(
      JSON.stringify({
        resourceSpans: [
          { scopeSpans: [{ spans: [{ traceId: 'AB'.repeat(16), spanId: 'cd'.repeat(8), ...fields }] }] },
        ],
      }),
    );
  const read = (fields: Record<string, unknown>) => only(decodeJsonTraces(spanJson(fields), limits));

  it('give records or an InputError for damaged requests', () => {
    verifies('P10');
    fc.assert(
      fc.property(traceRequests, logRequests, MUTATIONS, (traces, logs, mutations) => {
        survives(decodeJsonTraces, mutate(Buffer.from(asOtlpJson(traces)), mutations));
        survives(decodeJsonLogs, mutate(Buffer.from(asOtlpJson(logs)), mutations));
      }),
      { numRuns: 500 },
    );
  });

  it('give records or an InputError for any JSON at all', () => {
    verifies('P10');
    const shape = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 9 },
        fc.constantFrom(null, true, 'SPAN_KIND_CLIENT', '1', '', 'ab'.repeat(16)),
        fc.double(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom(
            ...['resourceSpans', 'scopeSpans', 'spans', 'resource', 'scope', 'attributes', 'key', 'value'],
            ...['stringValue', 'intValue', 'arrayValue', 'kvlistValue', 'values', 'events', 'status', 'code'],
            ...['__proto__', 'constructor', 'traceId', 'spanId', 'kind', 'flags', 'startTimeUnixNano'],
          ),
          tie('value'),
        ),
      ),
    }));
    fc.assert(
      fc.property(shape.value, (value) => {
        survives(decodeJsonTraces, Buffer.from(JSON.stringify(value)));
        survives(
          decodeJsonTraces,
          Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [value] }] }] })),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('never quote the input in the reason of a syntax error', () => {
    const { message } = refusalOf('{"resourceSpans": hunter2-secret}');
    expect(message).not.toContain('hunter2');
    expect(message).toContain('syntax error');
  });

  it('refuse nesting beyond the limit before parsing it', () => {
    expect(refusalOf('['.repeat(5_000_000)).message).toContain('nested deeper than');
    expect(refusalOf('{"a":'.repeat(1_000_000)).message).toContain('nested deeper than');
  });

  it('refuse a body that would parse to far more memory than its text', () => {
    expect(refusalOf(`{"resourceSpans":[${'[],'.repeat(1_000_000)}[]]}`).message).toContain(
      'too many objects',
    );
  });

  it('do not count brackets inside strings', () => {
    expect(read({ name: `"${'[{'.repeat(10_000)}\\` }).value?.name).toHaveLength(20_002);
  });

  it('name the envelope field of the wrong type', () => {
    expect(refusalOf('{"resourceSpans":[{"scopeSpans":{}}]}').path).toBe('resourceSpans[0].scopeSpans');
    expect(refusalOf('[]').message).toContain('must be a JSON object');
  });

  it('take enums by number or name, ids in any case, 64-bit values as string or number', () => {
    const { value, fault } = read({
      kind: 'SPAN_KIND_CLIENT',
      status: { code: 'STATUS_CODE_ERROR' },
      startTimeUnixNano: '1790000000123456789',
      endTimeUnixNano: 42,
      attributes: [
        { key: 'a', value: { intValue: '-9223372036854775808' } },
        { key: 'b', value: { intValue: 7 } },
        { key: 'c', value: { doubleValue: 'NaN' } },
        { key: 'd', value: { bytesValue: 'AQID' } },
        { key: 'e' },
      ],
      unknownField: { nested: [1] },
    });
    expect(fault).toBeUndefined();
    expect(value).toMatchObject({ kind: 3, statusCode: 2, traceId: 'ab'.repeat(16), endTimeUnixNano: '42' });
    expect(value?.startTimeUnixNano).toBe('1790000000123456789');
    expect([...value!.attributes.values()]).toEqual([-(2n ** 63n), 7, NaN, new Uint8Array([1, 2, 3]), null]);
  });

  it.each([
    ['a time beyond 64 bits', { startTimeUnixNano: '18446744073709551616' }, 'startTimeUnixNano'],
    ['a negative time', { startTimeUnixNano: -1 }, 'startTimeUnixNano'],
    ['a name that is a number', { name: 7 }, 'name'],
    ['an id that is not hex', { traceId: 'z'.repeat(32) }, 'traceId'],
    ['an id in base64', { spanId: 'zc3Nzc3Nzc0=' }, 'spanId'],
    ['attributes as an object', { attributes: {} }, 'attributes'],
    [
      'an int that is text',
      { attributes: [{ key: 'a', value: { intValue: 'x' } }] },
      'attributes[0].value.intValue',
    ],
    ['a value that is a string', { attributes: [{ key: 'a', value: 'x' }] }, 'attributes[0].value'],
    ['an event that is a number', { events: [7] }, 'events[0]'],
  ])('refuse only the span with %s and name the field', (_what, fields, path) => {
    expect(read(fields).fault?.path).toBe(path);
  });

  it('keep a key named __proto__ as a key', () => {
    const { value } = read({ attributes: [{ key: '__proto__', value: { stringValue: 'x' } }] });
    expect(value?.attributes.get('__proto__')).toBe('x');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('replace lone surrogates', () => {
    const body = spanJson({}).toString().replace('"spanId"', '"name":"a\\ud800b","spanId"');
    expect(only(decodeJsonTraces(Buffer.from(body), limits)).value?.name).toBe('a\ufffdb');
  });
});

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return [...out, rest];
}
