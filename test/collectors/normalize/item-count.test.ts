import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemCountOf } from '../../../collectors/normalize/item-count.ts';
import { double, int, list, map, ofAudit, ofLog, ofSpan, ofTap, text } from './wire-forms.ts';

describe('the number of things a call is about', () => {
  it.each<[unknown, number | undefined]>([
    [{ ids: [1, 2, 3] }, 3],
    [{ to: ['a@x', 'b@x'], cc: ['c@x', 'd@x', 'e@x'] }, 3],
    [[1, 2, 3, 4], 4],
    [{ filter: { ids: [1, 2] } }, 2],
    [{ limit: 500 }, 500],
    [{ maxResults: 50, ids: [1, 2] }, 50],
    [{ 'page-size': 20, page: 900, offset: 1800 }, undefined],
    [{ page_size: 20, page: 900, offset: 1800 }, 20],
    [{ number_of_rows: 40 }, 40],
    [{ topK: 12 }, 12],
    // Some senders write every argument as text.
    [{ limit: '5000' }, 5000],
    [{ limit: 'all' }, undefined],
    // A list in a list is a list in the arguments: batch requests wrap what they are about.
    [{ requests: [{ delete_rows: Array.from({ length: 900 }) }] }, 900],
    [[{ ids: [1, 2, 3] }, { ids: [1, 2, 3, 4] }], 4],
    // The number of an item is about that item.
    [{ lines: [{ sku: 'a', quantity: 3000 }] }, undefined],
    // One thing is not counted, nearly every call has one; nor is which one it is.
    [{ ids: [1] }, undefined],
    [{ count: 1 }, undefined],
    [{ number: 4312, id: 900, port: 8080, year: 2026 }, undefined],
    [{ number: 4155551234 }, undefined],
    [{}, undefined],
    [undefined, undefined],
    [null, undefined],
    ['12 rows', undefined],
    [5000, undefined],
  ])('of %j is %s', (plain, expected) => {
    expect(itemCountOf(plain)).toBe(expected);
  });

  it.each<[unknown, number | undefined]>([
    // Everything, in the idioms of those who want no limit.
    [{ limit: 2 ** 31 - 1 }, 1e9],
    [{ limit: 9223372036854775807n.toString() }, 1e9],
    [{ max_results: Number.MAX_VALUE }, 1e9],
    // A large size or amount is a size or an amount.
    [{ size: 5e12 }, undefined],
    [{ quantity: 1e300 }, undefined],
    [{ limit: -1 }, undefined],
    [{ limit: -5000, ids: [1, 2] }, 2],
    [{ limit: 2.5 }, undefined],
    [{ limit: NaN }, undefined],
    [{ limit: Infinity }, 1e9],
    [{ limit: true }, undefined],
    [{ limit: { limit: { limit: { limit: 9 } } } }, undefined],
    [JSON.parse('{"__proto__": {"count": 7}, "constructor": [1, 2]}') as unknown, 7],
  ])('of a hostile %j is %s', (plain, expected) => {
    expect(itemCountOf(plain)).toBe(expected);
  });

  it('of names and texts of any length is found', () => {
    expect(itemCountOf({ limit: '9'.repeat(1000) })).toBeUndefined();
    expect(itemCountOf({ ['limit'.repeat(10_000)]: 5 })).toBeUndefined();
    expect(itemCountOf({ [`num_of_${'a'.repeat(100_000)}`]: 5 })).toBeUndefined();
  });

  it('is undefined or a whole number from 2 to a length or a thousand million, whatever the value', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 6, withBigInt: true }), (value) => {
        const count = itemCountOf(value);
        expect(count === undefined || (Number.isSafeInteger(count) && count > 1 && count <= 1e9)).toBe(true);
      }),
    );
  });

  it('of a million items is found in time that does not grow with them', () => {
    const many = Array.from({ length: 1_000_000 }, (_, index) => [index]);
    let deep: unknown = many;
    for (let level = 0; level < 100_000; level += 1) deep = { deep };
    const { user } = process.cpuUsage();
    expect(itemCountOf({ many })).toBe(1_000_000);
    expect(itemCountOf(deep)).toBeUndefined();
    expect(process.cpuUsage().user - user).toBeLessThan(100_000);
  });

  it('of very many members is found among all of them', () => {
    const names = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`num_of_${index}`, index]),
    );
    expect(itemCountOf(names)).toBe(19_999);
  });
});

describe('on the wire', () => {
  const ids = '{"ids":[1,2,3]}';

  it('is told by a tap from the arguments, once for a call', () => {
    expect(ofTap(ids).map((event) => event.item_count)).toEqual([3, undefined]);
    expect(ofTap('{"limit":9223372036854775807}')[0]?.item_count).toBe(1e9);
    expect(ofTap('{"limit":1e999}')[0]?.item_count).toBeUndefined();
    expect(ofTap('{"path":"a"}', '{"content":[1,2,3]}').map((event) => event.item_count)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('is told by a span or a log of a tool call, as JSON text or as structure', () => {
    const named = { 'gen_ai.tool.name': text('t'), 'mcp.method.name': text('tools/call') };
    expect(ofSpan({ ...named, 'gen_ai.tool.call.arguments': text(ids) }).item_count).toBe(3);
    const structure = map({ ids: list(int(1), int(2)), limit: int('9223372036854775807') });
    expect(ofSpan({ ...named, 'gen_ai.tool.call.arguments': structure }).item_count).toBe(1e9);
    expect(
      ofLog({ 'event.kind': text('tool_call'), 'tool.name': text('t'), 'tool.args': text(ids) }).item_count,
    ).toBe(3);
  });

  it.each<[string, number]>([
    ['item.count', 40],
    ['affected_rows', 0],
    ['db.response.returned_rows', 7],
    ['messaging.batch.message_count', 12],
  ])('a sender may state it as %s, which counts before what the arguments say', (key, count) => {
    const event = ofSpan({
      'gen_ai.tool.name': text('t'),
      'tool.args': text(ids),
      [key]: int(String(count)),
    });
    expect(event.item_count).toBe(count);
  });

  it.each([
    int('-4'),
    double(-0.5),
    double('NaN'),
    double('Infinity'),
    double(1e300),
    text('many'),
    text('1e9'),
    text('9'.repeat(17)),
    list(int(1), int(2)),
    map({ count: int(9) }),
  ])('what is stated and no count is left out: %j', (value) => {
    expect(ofSpan({ 'gen_ai.tool.name': text('t'), 'item.count': value }).item_count).toBeUndefined();
  });

  it('is read from audit records under the names senders use, and whole', () => {
    expect(ofAudit({ kind: 'tool_call', tool: 't', row_count: '12' }).item_count).toBe(12);
    expect(ofAudit({ kind: 'tool_call', tool: 't', arguments: { ids: [1, 2] } }).item_count).toBe(2);
    expect(ofAudit({ kind: 'tool_call', tool: 't', item: { count: 3.9 } }).item_count).toBe(3);
    // Only a call has arguments that are about things.
    expect(ofAudit({ kind: 'context', arguments: { ids: [1, 2] } }).item_count).toBeUndefined();
  });

  it('of a million items comes through every way in, and so does an event', () => {
    const million = `{"ids":[${'1,'.repeat(999_999)}1]}`;
    expect(ofTap(million)[0]?.item_count).toBe(1_000_000);
    expect(ofAudit({ tool: 't', arguments: million }).item_count).toBe(1_000_000);
    expect(ofAudit({ tool: 't', arguments: JSON.parse(million) as unknown }).item_count).toBe(1_000_000);
  });
});
