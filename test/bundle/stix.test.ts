import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { uuidV5 } from '../../bundle/stix-ids.ts';
import { STIX_LIMITS, stixBundle } from '../../bundle/stix.ts';
import { alertEntry, eventEntry, eventOf, factsOf, rendered, storyEntries } from './report-case.ts';

interface Parsed {
  readonly type: string;
  readonly id: string;
  readonly objects: (Record<string, unknown> & { type: string; id: string })[];
}

const parsed = (
  ...args: Parameters<typeof rendered> extends [unknown, ...infer Rest] ? Rest : never
): Parsed => JSON.parse(rendered(stixBundle(), ...args)) as Parsed;
const ofType = ({ objects }: Parsed, type: string) => objects.filter((object) => object.type === type);

function whyNoStix2(): string | undefined {
  const root =
    process.env['CUSTODY_STIX2_ROOT'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'custody-test/stix2');
  python = join(root, 'bin/python');
  const install = join(import.meta.dirname, '../support/install-stix2.sh');
  if (
    !existsSync(python) &&
    (process.env['CUSTODY_TEST_INSTALL'] === '1' || process.env['CI'] !== undefined)
  ) {
    try {
      execFileSync('sh', [install], { stdio: 'inherit', timeout: 120_000 });
    } catch {
      // Said below.
    }
  }
  if (existsSync(python)) return undefined;
  const reason = 'the OASIS library of STIX is not installed: run test/support/install-stix2.sh';
  process.stderr.write(`SKIPPED ${reason}\n`);
  return reason;
}
let python = '';
const noStix2 = whyNoStix2();

/** Reads strictly, and makes the id of each observable anew from its properties. */
const READ = `
import json, sys, stix2
text = sys.stdin.read()
bundle = stix2.parse(text, allow_custom=False, version='2.1')
observables = [o for o in bundle.objects if o.type in ('domain-name', 'ipv4-addr', 'ipv6-addr', 'url', 'software', 'user-account')]
wrong = [o.id for o in observables if stix2.parse({k: v for k, v in json.loads(o.serialize()).items() if k != 'id'}, version='2.1').id != o.id]
print(json.dumps({'objects': len(bundle.objects), 'observables': len(observables), 'wrong': wrong}))
`;

test.skipIf(noStix2 !== undefined)(
  'the OASIS library reads it strictly and gives observables the same ids',
  () => {
    const hostile = eventOf(
      { server: "s'\\\ud800", tool: '</script>\u202e', to: ['2001:db8::1', 'https://a.example/b', "x'y"] },
      99,
      7,
    );
    const text = rendered(stixBundle(), [...storyEntries(), eventEntry(hostile, 99, 7)]);
    const result = JSON.parse(
      execFileSync(python, ['-c', READ], { input: text, encoding: 'utf8' }),
    ) as Record<string, unknown>;
    expect(result).toEqual({
      objects: (JSON.parse(text) as Parsed).objects.length,
      observables: ofType(JSON.parse(text) as Parsed, 'software').length + 7,
      wrong: [],
    });
  },
);

test('ids are UUIDv5 of the names, as other implementations make them', () => {
  expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  );
});

test('an alert gives each of its destinations an indicator, and the calls that sent there a sighting', () => {
  const bundle = parsed();
  const indicators = ofType(bundle, 'indicator');
  expect(indicators.map(({ pattern }) => pattern).sort()).toEqual([
    "[domain-name:value = 'paste.dropzone.example']",
    "[ipv4-addr:value = '203.0.113.77']",
  ]);
  const sightings = ofType(bundle, 'sighting');
  expect(sightings.map(({ count }) => count as number).sort()).toEqual([1, 2]);
  expect(
    ofType(bundle, 'attack-pattern')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['AML.T0086', 'T1048', 'T1567']);
  expect(ofType(bundle, 'note')[0]!['content']).toContain('Distance: 66 times');
});

test('every reference leads to an object of the bundle, and the report names all of them', () => {
  const bundle = parsed();
  const ids = new Set(bundle.objects.map(({ id }) => id));
  expect(ids.size).toBe(bundle.objects.length);
  for (const object of bundle.objects)
    for (const [key, value] of Object.entries(object))
      if (/_refs?$/.test(key)) for (const ref of [value].flat() as string[]) expect(ids).toContain(ref);
  const [report] = ofType(bundle, 'report');
  expect((report!['object_refs'] as string[]).length).toBe(bundle.objects.length - 1);
});

test('the same case gives the same bytes, another case other ids of its own objects and the same observables', () => {
  expect(rendered(stixBundle())).toBe(rendered(stixBundle()));
  const other = parsed(storyEntries(), factsOf({ caseId: 'INC-9' }));
  const ids = (bundle: Parsed, type: string) => ofType(bundle, type).map(({ id }) => id);
  expect(ids(other, 'domain-name')).toEqual(ids(parsed(), 'domain-name'));
  expect(ids(other, 'report')).not.toEqual(ids(parsed(), 'report'));
});

test('a quote or backslash in a destination cannot leave the pattern', () => {
  const [story] = storyEntries().filter(({ alert }) => alert !== undefined);
  const alert = { ...story!.alert!, destinations: ["https://a.example/'] OR [url:value='x\\", "x' OR '1"] };
  const bundle = parsed([alertEntry(alert, 5, 1)]);
  expect(ofType(bundle, 'indicator')).toEqual([]);
  expect(ofType(bundle, 'report')[0]!['description']).toContain('2 destinations');
  const quoted = parsed([alertEntry({ ...alert, destinations: ["https://a.example/'x\\"] }, 5, 1)]);
  expect(ofType(quoted, 'indicator')[0]!['pattern']).toBe(
    String.raw`[url:value = 'https://a.example/\'x\\']`,
  );
});

test('a case without an event gives a bundle that says so', () => {
  const bundle = parsed([]);
  expect(bundle.objects.map(({ type }) => type).sort()).toEqual(['identity', 'report']);
});

test('what is too much is left out and counted', () => {
  const entries = Array.from({ length: STIX_LIMITS.observations + 7 }, (_, index) =>
    eventEntry(eventOf({ server: 's', tool: `tool-${index}` }, index, 1000 + index), index, 1000 + index),
  );
  const bundle = parsed(entries);
  expect(ofType(bundle, 'observed-data')).toHaveLength(STIX_LIMITS.observations);
  expect(ofType(bundle, 'report')[0]!['description']).toContain('7 tool calls');
});
