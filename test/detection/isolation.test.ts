import { describe, expect, it } from 'vitest';
import { decodeTokens } from '../../schemas/token-set.ts';
import {
  destinationItem,
  requestToolItem,
  requestValueItem,
  stepItem,
  toolDestinationItem,
  toolItem,
  valueItem,
} from '../../detectors/chain/chain-items.ts';
import { toolKeyOf } from '../../detectors/detector.ts';
import { itemHash } from '../../detectors/learning/item-hash.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { detectConfig, learnWorkday, readTicket, runner, type Call } from '../detectors/sessions.ts';
import { verifies } from '../requirements.ts';
import { evasions } from './evasions.ts';
import { openOffice } from './office.ts';
import { usualWork } from './office-days.ts';

const WORK = Array.from({ length: 40 }, (_, number) => usualWork(number));
const THEFTS = evasions.flatMap(({ sessions }) => sessions);

/** What a tenant did and had, as the numbers that detectors know it by. */
function numbersOf(events: readonly CustodyEvent[]) {
  const tools = new Set<number>();
  const destinations = new Set<number>();
  const values = new Set<number>();
  const words = new Set<number>();
  for (const event of events) {
    const key = toolKeyOf(event);
    if (key !== undefined) tools.add(itemHash(key));
    for (const destination of event.destinations ?? []) destinations.add(itemHash(destination));
    for (const { hash } of event.arguments?.values ?? []) values.add(Number.parseInt(hash.slice(0, 13), 16));
    for (const tokens of [event.intent?.tokens, event.result?.tokens])
      if (tokens !== undefined) for (const word of decodeTokens(tokens)) words.add(word);
  }
  return { tools: [...tools], destinations: [...destinations], values: [...values], words: [...words] };
}

describe('what tenants share', () => {
  const office = openOffice(undefined, { sharing: true });
  // Dismissed at once, so that everything is learned, thefts too.
  for (const work of [...WORK, ...THEFTS]) office.dismiss(office.work(work));
  const told = [...office.partition.told.values()];
  const shared = new Set(told.map(({ change: [item] }) => item));
  const { tools, destinations, values, words } = numbersOf(office.events());

  it('are tools and steps from tool to tool, and nothing else', () => {
    verifies('Q2');
    const allowed = new Set([
      ...tools.map(toolItem),
      ...tools.flatMap((from) => tools.map((to) => stepItem(from, to))),
    ]);
    expect([...new Set(told.map(({ detector }) => detector))]).toEqual(['novel-chain']);
    expect(tools.filter((tool) => shared.has(toolItem(tool))).length).toBeGreaterThan(5);
    expect([...shared].filter((item) => !allowed.has(item))).toEqual([]);
  });

  it('is no destination, no value, no word of a request or a result, and nothing made of one', () => {
    verifies('Q2');
    expect([destinations, values, words].map(({ length }) => length > 20)).toEqual([true, true, true]);
    const intents = Array.from({ length: 300 }, (_, id) => id);
    const forbidden = [
      ...[...destinations, ...values, ...words, ...tools],
      ...destinations.map(destinationItem),
      ...values.map(valueItem),
      ...tools.flatMap((tool) => destinations.map((destination) => toolDestinationItem(tool, destination))),
      ...intents.flatMap((intent) => tools.map((tool) => requestToolItem(intent, tool))),
      ...intents.flatMap((intent) => values.map((value) => requestValueItem(intent, value))),
    ];
    expect(forbidden.filter((item) => shared.has(item))).toEqual([]);
  });

  it('tells the tenant by a hash, and holds no text', () => {
    verifies('Q2');
    for (const { change } of told)
      expect([change.length, ...change.map((part) => typeof part)]).toEqual([
        3,
        'number',
        'number',
        'number',
      ]);
    expect([...new Set(told.map(({ change: [, tenant] }) => tenant))]).toEqual([itemHash('office')]);
  });

  it('is nothing where sharing is off, which is the default', () => {
    const alone = openOffice();
    for (const work of WORK) alone.work(work);
    expect(alone.engine.epochChanges()).toEqual({});
  });
});

describe('what three tenants do', () => {
  const common: Call = { tool: 'create_summary', server: 'reports', action: 'write' };
  const epochMs = 600_000;

  /** Alerts of a tenant about its first use of a tool that others use. */
  function firstUse(others: readonly string[], enabled: boolean): string {
    const run = runner(detectConfig({ shared_statistics: { enabled, epoch_ms: epochMs } }));
    for (const tenant of others)
      for (let time = 0; time < 5; time += 1) run.whole(`s${time}`, [readTicket, common], tenant);
    run.wait(2 * epochMs);
    learnWorkday(run);
    return JSON.stringify(run.session('first-use', [readTicket, common]));
  }

  it('shows in the alerts of a fourth, and not before', () => {
    verifies('Q2');
    for (const others of [['t1'], ['t1', 't2']]) expect(firstUse(others, true)).toBe(firstUse(others, false));
    const three = ['t1', 't2', 't3'];
    expect(firstUse(three, false)).toContain('novel-chain');
    expect(firstUse(three, true)).not.toBe(firstUse(three, false));
  });
});

describe('what one tenant does', () => {
  /** Alerts of `victim`, which works and is robbed while others do what is given, in the same engine. */
  function robbed(others: readonly string[], sharing: boolean): string[] {
    const victim = openOffice(undefined, { tenant: 'victim', sharing });
    const busy = others.map((tenant) => openOffice(undefined, { tenant, partition: victim.partition }));
    const raised: string[] = [];
    [...WORK, ...WORK, ...THEFTS.slice(0, 8)].forEach((work, number) => {
      for (const other of busy) {
        const theirs = THEFTS[number % THEFTS.length];
        if (theirs !== undefined) other.dismiss(other.work(theirs));
      }
      for (const { alert } of victim.work(work)) raised.push(JSON.stringify(alert));
    });
    return raised;
  }

  it('changes no alert of another: the thefts it is taught by are told elsewhere as before', () => {
    verifies('Q2');
    const alone = robbed([], false);
    expect(alone.length).toBeGreaterThan(5);
    expect(robbed(['teacher', 'other'], false)).toEqual(alone);
  });

  it('changes none where statistics are shared, as long as it is one', () => {
    verifies('Q2');
    expect(robbed(['teacher'], true)).toEqual(robbed([], true));
  });
});
