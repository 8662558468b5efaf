import type { CallFacts, ContactFacts, DetectEvent, ValueFacts } from '../detector.ts';
import { noveltyShare, sessionsWith } from '../learning/item-memory.ts';
import { surpriseBits } from '../learning/surprise.ts';
import { knownEverywhere } from '../engine/shared-statistics.ts';
import {
  destinationItem,
  destinationRate,
  hasConsequences,
  memberRate,
  placesOf,
  requestToolItem,
  requestValueItem,
  stepItem,
  stepRate,
  toolItem,
  toolRate,
  valueItem,
} from './chain-items.ts';
import type { ChainState, ToolStep } from './chain-state.ts';

/** Why a call is surprising, part by part, in bits. */
export interface Evidence {
  /** A destination the tenant never used, that came from an output or from nowhere known. */
  readonly contact: ContactFacts | undefined;
  readonly contactBits: number;
  /** A value the tenant never used, copied from an output that strangers may have written. */
  readonly value: ValueFacts | undefined;
  readonly valueBits: number;
  /** Sessions with the same request, of which none or few used the tool; 0 sessions where no request is known. */
  readonly requestSessions: number;
  readonly requestBits: number;
  /** Copied values that no session with the same request used. */
  readonly strange: boolean;
  /** The tool can do harm: it moves money, rights, or destroys. */
  readonly grave: boolean;
  /** A secret is sent away. */
  readonly secret: boolean;
  /** The output it was copied from has the form of an instruction to a model. */
  readonly instructed: boolean;
  readonly newTool: boolean;
  readonly toolBits: number;
  readonly newStep: boolean;
  readonly stepBits: number;
  /** The sum, weighted. */
  readonly bits: number;
}

/** A destination named in the request by a part of its name is less of a surprise: a fifth of the bits stay. */
const namedShare = 5;
/** A model makes up destinations too: what came from nowhere weighs this much less than what was copied. */
const inventedLess = 1;
const graveBits = 2;
const secretBits = 2;
const instructedBits = 2;
/** Benign agents vary: a new order of tools says little by itself. */
const chainWeight = 0;
/** How often an item known to three tenants is new to a fourth; counts less the more sessions the tenant has. */
const knownElsewhereShare = 0.25;
const tenantWeightSessions = 50;
const personal = new Set([
  'email',
  'phone',
  'ip',
  'iban',
  'credit_card',
  'card',
  'ssn',
  'pii',
  'name',
  'address',
]);

/** What is new and strange about a call, given what the tenant's closed sessions have taught. */
export function evidenceOf(
  state: ChainState,
  { event }: DetectEvent,
  call: CallFacts,
  from: ToolStep | undefined,
): Evidence {
  const counts = hasConsequences(call);
  const contact = counts ? newContact(state, call) : { contact: undefined, bits: 0 };
  const value = counts ? newValue(state, call) : { value: undefined, bits: 0 };
  const { known } = state.tenant;
  const { intentId, intentSessions } = state.session;
  const withTool = intentId < 0 ? 0 : sessionsWith(known, requestToolItem(intentId, call.toolHash));
  const requestBits =
    counts && intentSessions > 0
      ? surpriseBits((2 * withTool + 1) / (2 * Math.max(intentSessions, withTool) + 2))
      : 0;
  const strange =
    counts &&
    intentSessions > 0 &&
    call.values.some(
      (each) => isUntrusted(each) && sessionsWith(known, requestValueItem(intentId, each.hash)) === 0,
    );
  const grave = counts && (call.traits.privileged || call.traits.destructive || call.traits.financial);
  const secret = call.traits.egress && carriesSecret(event.arguments?.findings);
  const instructed = [contact.contact, value.value].some((part) => part?.source?.instructs === true);
  const chain = chainOf(state, call, from, counts);
  const bits =
    contact.bits +
    value.bits +
    requestBits +
    (strange ? 1 : 0) +
    (grave ? graveBits : 0) +
    (secret ? secretBits : 0) +
    (instructed ? instructedBits : 0) +
    chainWeight * Math.max(chain.toolBits, chain.stepBits);
  return {
    contact: contact.contact,
    contactBits: contact.bits,
    value: value.value,
    valueBits: value.bits,
    requestSessions: intentSessions,
    requestBits,
    strange,
    grave,
    secret,
    instructed,
    ...chain,
    bits: counts ? bits : 0,
  };
}

function newContact(
  { tenant: { known } }: ChainState,
  call: CallFacts,
): { readonly contact: ContactFacts | undefined; readonly bits: number } {
  let best: ContactFacts | undefined;
  let bestBits = 0;
  const rarity = surpriseBits(noveltyShare(known, destinationRate(call.toolHash)));
  for (const contact of placesOf(call)) {
    if (!contact.addressed || contact.origin === 'prompt') continue;
    if (contact.origin === 'output' && contact.source?.untrusted === false) continue;
    if (sessionsWith(known, destinationItem(contact.hash)) > 0) continue;
    const told = contact.origin === 'output' ? rarity : Math.max(0, rarity - inventedLess);
    const bits = contact.named ? told / namedShare : told;
    if (best === undefined || bits > bestBits) [best, bestBits] = [contact, bits];
  }
  return { contact: best, bits: bestBits };
}

function newValue(
  { tenant: { known } }: ChainState,
  { values, contacts, toolHash }: CallFacts,
): { readonly value: ValueFacts | undefined; readonly bits: number } {
  let best: ValueFacts | undefined;
  let bestBits = 0;
  const isNamed = contacts.some(({ named }) => named);
  for (const value of values) {
    if (!isUntrusted(value) || sessionsWith(known, valueItem(value.hash)) > 0) continue;
    const told = surpriseBits(noveltyShare(known, memberRate(toolHash, value.path)));
    const bits = isNamed ? told / namedShare : told;
    if (best === undefined || bits > bestBits) [best, bestBits] = [value, bits];
  }
  return { value: best, bits: bestBits };
}

const isUntrusted = ({ origin, source }: ValueFacts) => origin === 'output' && source?.untrusted !== false;

function chainOf(
  { tenant, shared }: ChainState,
  { toolHash }: CallFacts,
  from: ToolStep | undefined,
  counts: boolean,
): Pick<Evidence, 'newTool' | 'toolBits' | 'newStep' | 'stepBits'> {
  const rarity = (item: number, rateKey: number) => {
    const share = noveltyShare(tenant.chains, rateKey);
    if (!knownEverywhere(shared, item)) return surpriseBits(share);
    const weight = tenant.sessions / (tenant.sessions + tenantWeightSessions);
    return surpriseBits(weight * share + (1 - weight) * Math.max(share, knownElsewhereShare));
  };
  const tool = toolItem(toolHash);
  const newTool = sessionsWith(tenant.chains, tool) === 0;
  const step = from === undefined ? undefined : stepItem(from.hash, toolHash);
  const newStep = counts && step !== undefined && sessionsWith(tenant.chains, step) === 0;
  return {
    newTool,
    toolBits: newTool ? rarity(tool, toolRate) : 0,
    newStep,
    stepBits: newStep ? rarity(step, stepRate) : 0,
  };
}

function carriesSecret(findings: Readonly<Record<string, number>> | undefined): boolean {
  return Object.entries(findings ?? {}).some(([type, count]) => count > 0 && !personal.has(type));
}
