import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateStore } from '../../streams/topic.ts';

/** One empty store and a way to end and start its owner. */
export interface StateStoreHarness {
  state(): StateStore;
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const put = (name: string, text: string) => ({ name, value: bytes(text) });
const remove = (name: string) => ({ name, value: undefined });

async function list(state: StateStore, prefix: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { name, value } of state.entries(prefix))
    found.push([name, Buffer.from(value).toString()]);
  return found;
}

async function readText(state: StateStore, name: string): Promise<string | undefined> {
  const value = await state.read(name);
  return value === undefined ? undefined : Buffer.from(value).toString();
}

/** What every StateStore must do. Names of the order cases are ASCII: there every name order is the same. */
export function stateStoreContract(name: string, open: () => Promise<StateStoreHarness>): void {
  describe(`${name} keeps the state store contract`, () => {
    let harness: StateStoreHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(() => harness.close());

    it('knows nothing at first', async () => {
      expect(await harness.state().read('a')).toBeUndefined();
      expect(await list(harness.state(), '')).toEqual([]);
    });

    it('gives back the exact bytes, also none and many', async () => {
      const all = Uint8Array.from({ length: 256 }, (_, index) => index);
      const large = new Uint8Array(900_000).fill(7);
      await harness.state().write([
        { name: 'all', value: all },
        { name: 'empty', value: new Uint8Array(0) },
        { name: 'large', value: large },
        { name: 'é漢', value: all },
      ]);
      expect(Buffer.compare((await harness.state().read('all'))!, all)).toBe(0);
      expect(await harness.state().read('empty')).toHaveLength(0);
      expect(Buffer.compare((await harness.state().read('large'))!, large)).toBe(0);
      expect(Buffer.compare((await harness.state().read('é漢'))!, all)).toBe(0);
    });

    it('overwrites and removes, the last change of a name winning', async () => {
      await harness.state().write([put('a', '1'), put('b', '1'), put('c', '1')]);
      await harness.state().write([put('a', '2'), remove('b'), remove('none'), remove('c'), put('c', '3')]);
      expect(await list(harness.state(), '')).toEqual([
        ['a', '2'],
        ['c', '3'],
      ]);
    });

    it('lists the names of a prefix in order and no others', async () => {
      await harness
        .state()
        .write([put('b/2', 'y'), put('a/1', 'w'), put('b/10', 'x'), put('b', 'v'), put('c/1', 'z')]);
      expect(await list(harness.state(), 'b/')).toEqual([
        ['b/10', 'x'],
        ['b/2', 'y'],
      ]);
      expect((await list(harness.state(), '')).map(([found]) => found)).toEqual([
        'a/1',
        'b',
        'b/10',
        'b/2',
        'c/1',
      ]);
      expect(await list(harness.state(), 'd')).toEqual([]);
    });

    it('survives a restart', async () => {
      await harness.state().write([put('a', '1'), put('b', '2')]);
      await harness.state().write([remove('a')]);
      await harness.reopen();
      expect(await list(harness.state(), '')).toEqual([['b', '2']]);
    });

    it('never shows a part of a write of several names', async () => {
      const names = ['a', 'b', 'c', 'd'];
      const writeAll = (text: string) => harness.state().write(names.map((each) => put(each, text)));
      await writeAll('0');
      const seen: string[] = [];
      for await (const { value } of harness.state().entries('')) {
        seen.push(Buffer.from(value).toString());
        if (seen.length === 2) await writeAll('1');
      }
      expect(seen).toEqual(['0', '0', '0', '0']);
      expect((await list(harness.state(), '')).map(([, value]) => value)).toEqual(['1', '1', '1', '1']);
    });

    it('neither keeps the buffer it is given nor changes the one it gave', async () => {
      const value = bytes('first');
      await harness.state().write([{ name: 'a', value }]);
      value.fill(0);
      const given = await harness.state().read('a');
      await harness.state().write([put('a', 'other')]);
      expect(Buffer.from(given!).toString()).toBe('first');
      expect(await readText(harness.state(), 'a')).toBe('other');
    });

    it('behaves like a map under any sequence of writes', async () => {
      const change = fc.record({
        name: fc.stringMatching(/^[a-d]{1,3}$/),
        value: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
      });
      const model = new Map<string, string>();
      await fc.assert(
        fc.asyncProperty(
          fc.array(change, { maxLength: 8 }),
          fc.stringMatching(/^[a-d]{0,2}$/),
          async (changes, prefix) => {
            await harness.state().write(changes);
            for (const { name: changed, value } of changes) {
              if (value === undefined) model.delete(changed);
              else model.set(changed, Buffer.from(value).toString());
            }
            const expected = [...model]
              .filter(([key]) => key.startsWith(prefix))
              .sort(([a], [b]) => (a < b ? -1 : 1));
            expect(await list(harness.state(), prefix)).toEqual(expected);
          },
        ),
        { numRuns: 40 },
      );
    });
  });
}
