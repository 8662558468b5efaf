import { isConsequential, type CallFacts, type ContactFacts } from '../detector.ts';
import { itemHash, pairHash } from '../learning/item-hash.ts';
import type { ChainSession, Lesson, ToolStep } from './chain-state.ts';
import { newLesson } from './chain-state.ts';

/** What can be new about a call. The values are part of item hashes. */
const itemClass = {
  tool: 1,
  step: 2,
  destination: 4,
  toolDestination: 5,
  value: 6,
  memberValue: 7,
  requestTool: 8,
  requestValue: 9,
  memberRate: 10,
  destinationRate: 11,
} as const;

export const toolItem = (tool: number) => pairHash(itemClass.tool, tool, 0);
export const stepItem = (from: number, to: number) => pairHash(itemClass.step, from, to);
export const destinationItem = (destination: number) => pairHash(itemClass.destination, destination, 0);
export const toolDestinationItem = (tool: number, destination: number) =>
  pairHash(itemClass.toolDestination, tool, destination);
export const valueItem = (value: number) => pairHash(itemClass.value, value, 0);
export const requestToolItem = (intent: number, tool: number) =>
  pairHash(itemClass.requestTool, intent, tool);
export const requestValueItem = (intent: number, value: number) =>
  pairHash(itemClass.requestValue, intent, value);

export const toolRate = itemClass.tool;
export const stepRate = itemClass.step;
/** Of values in one member of one tool's arguments. */
export const memberRate = (tool: number, path: string) =>
  pairHash(itemClass.memberRate, tool, itemHash(path));
/** Of destinations of one tool. */
export const destinationRate = (tool: number) => pairHash(itemClass.destinationRate, tool, 0);
/** Items whose novelty weighs nothing. */
const plainRate = 0;

const payeeMember =
  /(?:^|[._])(?:recipients?|payee|beneficiary|creditor|account|iban|wallet|address|to)(?:[._[]|$|_?(?:id|number|account|iban|address)$)/i;

/** Where a call goes: its destinations and, where it moves money, the accounts it names. */
export function placesOf(call: CallFacts): readonly ContactFacts[] {
  if (!call.traits.financial) return call.contacts;
  const payees = call.values
    .filter(({ path }) => payeeMember.test(path))
    .map(({ path, hash, origin, source }) => ({
      destination: `account in ${path}`,
      hash,
      origin,
      source,
      addressed: true,
      named: origin === 'prompt',
    }));
  return payees.length === 0 ? call.contacts : [...call.contacts, ...payees];
}

/** The call changes, runs or sends something, or goes somewhere. */
export function hasConsequences({ action, destinations, traits }: CallFacts): boolean {
  return isConsequential(action) || traits.egress || (action === 'unknown' && destinations.length > 0);
}

/** What the call shows about chains: its tool, and the step to it when it has consequences. */
export function chainLesson(call: CallFacts, from: ToolStep | undefined): Lesson {
  const lesson = newLesson();
  add(lesson, toolItem(call.toolHash), toolRate);
  if (from !== undefined && hasConsequences(call)) add(lesson, stepItem(from.hash, call.toolHash), stepRate);
  return lesson;
}

/** What the call shows about destinations and values, and what its request led to. */
export function knownLesson(call: CallFacts, { intentId }: Pick<ChainSession, 'intentId'>): Lesson {
  const lesson = newLesson();
  const tool = call.toolHash;
  const counts = hasConsequences(call);
  for (const { hash, addressed } of placesOf(call)) {
    // Who mentions a place has not been there: injected texts are quoted in mails and notes.
    if (!addressed) continue;
    add(lesson, destinationItem(hash), plainRate);
    add(lesson, toolDestinationItem(tool, hash), destinationRate(tool));
  }
  for (const { hash, path } of call.values) {
    add(lesson, valueItem(hash), plainRate);
    if (!counts) continue;
    const member = memberRate(tool, path);
    add(lesson, pairHash(itemClass.memberValue, member, hash), member);
    if (intentId >= 0) add(lesson, requestValueItem(intentId, hash), plainRate);
  }
  if (intentId >= 0) add(lesson, requestToolItem(intentId, tool), plainRate);
  return lesson;
}

const maxLesson = 768;

/** Adds what is not in it yet. */
export function extendLesson(lesson: Lesson, more: Lesson): void {
  for (let index = 0; index < more.items.length && lesson.items.length < maxLesson; index += 1)
    add(lesson, more.items[index] ?? 0, more.rateKeys[index] ?? 0);
}

function add({ items, rateKeys }: Lesson, item: number, rateKey: number): void {
  if (items.includes(item)) return;
  items.push(item);
  rateKeys.push(rateKey);
}
