import type { DetectConfig } from '../schemas/config.ts';
import { aboutSystem } from './about-system.ts';
import { failureTail } from './counters/beta-binomial.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import type { CallFacts, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

/** A call in the window: hash of its session, 0 if it went well. */
type Outcome = number;

/** The last calls of a tool, a server or a client, in the order their outcomes came. */
interface Window {
  readonly outcomes: Outcome[];
  /** How many of them failed. */
  failed: number;
  /** Of the last failures. */
  readonly failedIds: string[];
  /** It alerted, and has not gone back to normal since. */
  isHigh: boolean;
}

interface UsualRate {
  calls: number;
  failed: number;
}

interface ErrorTenant {
  readonly windows: Map<number, Window>;
  /** From closed sessions without an open alert. */
  readonly usual: Map<number, UsualRate>;
  calls: number;
}

/** Outcomes of the session by what they are of. */
type ErrorSession = Map<number, UsualRate>;

const maxSubjects = 256;
const maxPerSession = 96;
/** Counts are halved at this, so that rates follow a change. */
const rateMemory = 4096;
const learningCalls = 100;
const maxEvidence = 8;
/** Failures of other sessions than the worst that make it more than one session's trouble. */
const spreadMin = 3;

/** Far more calls of a tool, a server or a client fail than usual. */
export function errorRate(config: DetectConfig['error_rate']): Detector<ErrorTenant, ErrorSession> {
  return {
    id: 'error-rate',
    version: 1,
    kinds: ['tool_call'],
    newTenantState: () => ({ windows: new Map(), usual: new Map(), calls: 0 }),
    newSessionState: () => new Map(),

    step(detected, { tenant, session }, raise) {
      const { call } = detected;
      if (call === undefined || !detected.fresh.outcome) return;
      const failed = hasFailed(call);
      if (failed === undefined) return;
      const sessionHash = failed ? itemHash(detected.session.key) : 0;
      const { toolHash, tool, server } = call;
      const client = detected.event.client?.name;
      if (tool !== '') note(toolHash, 'tool', call.toolKey);
      if (server !== undefined) note(itemHash(server), 'server', server);
      if (client !== undefined) note(itemHash(client), 'client', client);

      function note(hash: number, kind: Subject['kind'], name: string): void {
        const key = (hash % maxHash) * classes + classOf[kind];
        count(session, key, failed === true);
        const window = keptEntry(tenant.windows, key, maxSubjects, newWindow, isFull);
        if (window.outcomes.length === config.window_calls && window.outcomes.shift() !== 0)
          window.failed -= 1;
        window.outcomes.push(sessionHash);
        if (failed === true) {
          window.failed += 1;
          pushBounded(window.failedIds, detected.event.event_id, maxEvidence);
        }
        if (window.failed < config.failures_min) window.isHigh = false;
        else if (failed === true) judge(config, tenant, window, { key, kind, name, server, tool }, raise);
      }
    },

    learn({ tenant, session }) {
      // Each call is in there by tool, by server and by client.
      let most = 0;
      for (const [key, { calls, failed }] of session) {
        const usual = keptEntry(tenant.usual, key, maxSubjects, newRate, (rate) => rate.calls >= 20);
        usual.calls += calls;
        usual.failed += failed;
        while (usual.calls >= rateMemory) {
          usual.calls = Math.floor(usual.calls / 2);
          usual.failed = Math.floor(usual.failed / 2);
        }
        most = Math.max(most, calls);
      }
      tenant.calls = Math.min(rateMemory, tenant.calls + most);
    },

    status: ({ calls }) => ({ learning: calls < learningCalls, seen: calls }),
  };
}

interface Subject {
  readonly key: number;
  readonly kind: 'tool' | 'server' | 'client';
  readonly name: string;
  readonly server: string | undefined;
  readonly tool: string;
}

/** Tools, servers and clients of one name are apart; the hash has room for it. */
const classOf: Readonly<Record<Subject['kind'], number>> = { tool: 0, server: 1, client: 2 };
const classes = 4;
const maxHash = 2 ** 50;

/** A refusal by policy or by a rate limit is no error; other detectors see those. */
function hasFailed({ category }: CallFacts): boolean | undefined {
  switch (category) {
    case 'ok':
    case 'input_required':
      return false;
    case 'error':
    case 'tool_error':
    case 'timeout':
      return true;
    default:
      return undefined;
  }
}

function newWindow(): Window {
  return { outcomes: [], failed: 0, failedIds: [], isHigh: false };
}

const isFull = ({ outcomes }: Window) => outcomes.length >= 10;

function newRate(): UsualRate {
  return { calls: 0, failed: 0 };
}

function count(session: ErrorSession, key: number, failed: boolean): void {
  const rate = keptEntry(session, key, maxPerSession, newRate);
  rate.calls += 1;
  if (failed) rate.failed += 1;
}

function judge(
  config: DetectConfig['error_rate'],
  tenant: ErrorTenant,
  window: Window,
  subject: Subject,
  raise: Raise,
): void {
  const total = window.outcomes.length;
  if (window.isHigh || total < config.calls_min) return;
  const failures = window.outcomes.filter((session) => session !== 0);
  const usual = tenant.usual.get(subject.key) ?? newRate();
  const chance = failureTail(failures.length, total, usual.failed, usual.calls);
  // One session that fails over and over is a loop; here it counts when there is a lot of it.
  const isClear =
    failures.length - mostOfOne(failures) >= spreadMin || failures.length >= 2 * config.failures_min;
  if (chance >= config.p_max || !isClear) return;
  window.isHigh = true;
  raise(describe(subject, failures, window.failedIds, total, usual, chance));
}

/** Failures of the session that has most of them. */
function mostOfOne(failures: readonly Outcome[]): number {
  const counts = new Map<number, number>();
  for (const session of failures) counts.set(session, (counts.get(session) ?? 0) + 1);
  return Math.max(...counts.values());
}

function describe(
  { kind, name, server, tool }: Subject,
  failures: readonly Outcome[],
  evidence: readonly string[],
  total: number,
  usual: UsualRate,
  chance: number,
): Finding {
  const usualWords =
    usual.calls === 0
      ? 'nothing is known of it; 1 in 20 is assumed'
      : `${(Math.round((1000 * usual.failed) / usual.calls) / 10).toFixed(1)} % of ${usual.calls} calls`;
  const words = `${kind} ${shown(name, 120)}`;
  const sessions = new Set(failures).size;
  const observed = `${failures.length} of the last ${total} calls of ${words} failed, in ${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  return {
    title: 'Error rate far above usual',
    severity: 'medium',
    score: 1 - chance,
    reason: `${observed}; usual is ${usualWords}.`,
    observed,
    normal: usualWords,
    distance: `at the usual rate ${oddsWords(chance)}`,
    dedupKey: words,
    evidence,
    about: kind === 'client' ? aboutSystem() : aboutSystem(server, kind === 'tool' ? tool : undefined),
    references: references['error-rate'],
  };
}

/** 1 in a round number: three digits mean nothing here. */
function oddsWords(chance: number): string {
  let odds = 1;
  while (odds * chance < 1 && odds < 1e15) odds *= 10;
  return `less than 1 chance in ${odds / 10 < 1 ? 1 : odds / 10}`;
}
