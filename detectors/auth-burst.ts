import type { DetectConfig } from '../schemas/config.ts';
import { describeBurst, describeEntry } from './auth-burst-words.ts';
import { isScopeChallenge, isUnauthenticated } from './call-outcome.ts';
import { addFading, fadedAt, newFadingCount, type FadingCount } from './counters/fading-count.ts';
import { addDistinct, keptEntry, pushBounded } from './counters/kept-entry.ts';
import type { DetectEvent, Detector, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';

/** Refused logins of one principal, or from one source. */
export interface Burst {
  readonly count: FadingCount;
  readonly eventIds: string[];
  /** Hashes of who tried, for a source. */
  readonly principals: number[];
  failures: number;
  firstMs: number;
  lastMs: number;
  alertedMs: number | undefined;
  /** Digest of the one credential that was refused; empty once there were two, or one that was not told. */
  credential: string;
  /** A login and a call that tell of the same refusal in one trace count once. */
  lastTrace: string | undefined;
  lastKind: string;
}

interface AuthTenant {
  readonly principals: Map<number, Burst>;
  readonly sources: Map<number, Burst>;
}

/** What a burst is of, in words from outside. */
export interface BurstOf {
  readonly kind: 'principal' | 'source';
  readonly name: string;
  readonly burst: Burst;
}

const maxKeys = 256;
const maxEvidence = 8;
const maxPrincipals = 16;

/** Repeated refused logins of one principal or from one source, and what gets in after them. */
export function authBurst(config: DetectConfig['auth_burst']): Detector<AuthTenant, undefined> {
  return {
    id: 'auth-burst',
    version: 1,
    kinds: ['auth', 'tool_call', 'mcp_message', 'api_call'],
    newTenantState: () => ({ principals: new Map(), sources: new Map() }),
    newSessionState: () => undefined,

    step(detected, { tenant }, raise) {
      const outcome = outcomeOf(detected);
      if (outcome === undefined) return;
      if (outcome === 'success' && tenant.principals.size + tenant.sources.size === 0) return;
      const bursts = burstsOf(tenant, detected, outcome === 'failure');
      if (outcome === 'success') judgeEntry(config, tenant, bursts, detected, raise);
      else judgeFailure(config, bursts, detected, raise);
    },
  };
}

/** First word on whether somebody was let in; `undefined` for everything else, a missing permission too. */
function outcomeOf({ event, decision, fresh }: DetectEvent): 'success' | 'failure' | undefined {
  const category = event.result?.category;
  if (event.kind !== 'auth') {
    if (category === undefined || (event.kind === 'tool_call' && !fresh.outcome)) return undefined;
    if (category === 'ok') return 'success';
    return isUnauthenticated(event.result?.code) ? 'failure' : undefined;
  }
  if (event.result?.code === '403' || isScopeChallenge(event.result?.code)) return undefined;
  switch (category) {
    case 'ok':
      return 'success';
    case 'denied':
    case 'error':
    case 'tool_error':
      return 'failure';
    case undefined:
    case 'unknown':
      // A grant that policy refuses is no failed login.
      if (decision === 'deny') return event.scope?.grants === undefined ? 'failure' : undefined;
      return decision === 'allow' ? 'success' : undefined;
    default:
      return undefined;
  }
}

/** Bursts of who tries and from where, as far as they are told. */
function burstsOf(tenant: AuthTenant, { event, actorKey }: DetectEvent, isFailure: boolean): BurstOf[] {
  const source = event.client?.address ?? event.network?.peer_address ?? event.actor?.runtime_id;
  const told = event.actor?.id ?? event.actor?.user_id ?? event.client?.name;
  const found: BurstOf[] = [];
  const find = (kind: BurstOf['kind'], name: string | undefined, bursts: Map<number, Burst>) => {
    if (name === undefined) return;
    const key = itemHash(name);
    const burst = isFailure ? keptEntry(bursts, key, maxKeys, newBurst) : bursts.get(key);
    if (burst !== undefined) found.push({ kind, name, burst });
  };
  find('principal', told ?? (source === undefined ? actorKey : undefined), tenant.principals);
  find('source', source, tenant.sources);
  return found;
}

function newBurst(): Burst {
  return {
    count: newFadingCount(),
    eventIds: [],
    principals: [],
    failures: 0,
    firstMs: 0,
    lastMs: 0,
    alertedMs: undefined,
    credential: '',
    lastTrace: undefined,
    lastKind: '',
  };
}

function judgeFailure(
  config: DetectConfig['auth_burst'],
  bursts: readonly BurstOf[],
  detected: DetectEvent,
  raise: Raise,
): void {
  const { timeMs } = detected;
  const principal = bursts.find(({ kind }) => kind === 'principal');
  const full = bursts.filter(({ kind, burst }) => {
    const count = addFailure(config, burst, detected);
    if (kind === 'source' && principal !== undefined)
      addDistinct(burst.principals, itemHash(principal.name), maxPrincipals);
    return count >= config.failures;
  });
  // One alert for one burst: about the source where that tried several names.
  const first = full.find(({ burst }) => burst.principals.length > 1) ?? full[0];
  if (first === undefined) return;
  const isRecent = full.some(({ burst }) => isWithin(burst.alertedMs, timeMs, config.repeat_after_ms));
  if (isRecent) return;
  for (const { burst } of full) burst.alertedMs = timeMs;
  raise(describeBurst(first, config));
}

/** Adds one refusal and returns how many count now. */
function addFailure(
  { half_life_ms, repeat_after_ms }: DetectConfig['auth_burst'],
  burst: Burst,
  { event, timeMs }: DetectEvent,
): number {
  const trace = event.trace?.trace_id;
  const left = fadedAt(burst.count, timeMs, half_life_ms);
  if (trace !== undefined && trace === burst.lastTrace && event.kind !== burst.lastKind) return left;
  if (left === 0 && !isWithin(burst.alertedMs, timeMs, repeat_after_ms)) {
    burst.failures = 0;
    burst.eventIds.length = 0;
    burst.principals.length = 0;
  }
  const credential = event.scope?.token_digest ?? '';
  if (burst.failures === 0) {
    burst.firstMs = timeMs;
    burst.credential = credential;
  } else if (burst.credential !== credential) burst.credential = '';
  burst.lastTrace = trace;
  burst.lastKind = event.kind;
  burst.failures += 1;
  burst.lastMs = Math.max(burst.lastMs, timeMs);
  pushBounded(burst.eventIds, event.event_id, maxEvidence);
  return addFading(burst.count, timeMs, half_life_ms);
}

/** Somebody gets in where too many were just refused. */
function judgeEntry(
  config: DetectConfig['auth_burst'],
  { principals, sources }: AuthTenant,
  bursts: readonly BurstOf[],
  { timeMs }: DetectEvent,
  raise: Raise,
): void {
  const burst = bursts.find(
    (one) =>
      // One credential refused again and again, then another one accepted, is a token that was renewed.
      one.burst.credential === '' &&
      (fadedAt(one.burst.count, timeMs, config.half_life_ms) >= config.failures ||
        isWithin(one.burst.alertedMs, timeMs, config.repeat_after_ms)),
  );
  for (const { kind, name } of bursts) (kind === 'source' ? sources : principals).delete(itemHash(name));
  if (burst !== undefined) raise(describeEntry(burst, timeMs));
}

function isWithin(beforeMs: number | undefined, timeMs: number, ms: number): boolean {
  return beforeMs !== undefined && timeMs - beforeMs < ms;
}
