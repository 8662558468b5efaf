import type { DetectConfig } from '../schemas/config.ts';
import { pushBounded } from './counters/kept-entry.ts';
import type { DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { judgeAudience, learnAudiences, type AudienceTenant } from './token-audience.ts';
import {
  describeAge,
  describeLifetime,
  describeReuse,
  describeTwice,
  type Reuse,
} from './token-misuse-words.ts';

/** Who has used a token, as one kind of observer tells it: agents and servers name the same actor differently. */
interface Holder {
  readonly observer: string;
  readonly actor: string | undefined;
  readonly client: string | undefined;
}

interface TokenUse {
  readonly holders: Holder[];
  readonly environment: string | undefined;
  readonly eventId: string;
  /** Session and call it was used for: several observers tell of one use. */
  readonly use: string;
  /** Kinds of misuse told. */
  readonly told: string[];
}

interface TokenTenant extends AudienceTenant {
  /** Least recently used first. */
  readonly tokens: Map<string, TokenUse>;
  /** When a credential of an actor was last told to live too long or to be too old. */
  readonly toldMs: Map<number, number>;
}

export interface TokenSession {
  /** Hashes of server and audience in turn. */
  audiences: number[] | undefined;
  /** The last claims looked at: most calls of a session repeat them. */
  last: string;
}

const maxTokens = 1024;
const maxHolders = 4;
const maxTold = 256;
const digestChars = 24;
const againMs = 24 * 3_600_000;
const singleUse = /one[-_ ]?time|single[-_ ]?use|otp|nonce|auth(?:orization)?[-_ ]?code/i;

/** A token in two hands, for somebody else, or good for too long. */
export function tokenMisuse(config: DetectConfig['token_misuse']): Detector<TokenTenant, TokenSession> {
  return {
    id: 'token-misuse',
    version: 1,
    newTenantState: () => ({
      tokens: new Map(),
      toldMs: new Map(),
      audiences: new Map(),
      servers: new Map(),
      sessions: 0,
    }),
    newSessionState: () => ({ audiences: undefined, last: '' }),

    step(detected, { tenant, session }, raise) {
      const { scope } = detected.event;
      if (scope === undefined) return;
      if (scope.token_digest !== undefined) judgeUse(tenant, detected, scope.token_digest, raise);
      if (scope.ttl_sec === undefined && scope.age_sec === undefined && scope.audience === undefined) return;
      const claims = `${scope.ttl_sec ?? ''} ${scope.age_sec ?? ''} ${detected.event.server?.name ?? ''} ${scope.audience ?? ''} ${detected.actorKey}`;
      if (claims === session.last) return;
      session.last = claims;
      judgeLifetime(config, tenant, detected, raise);
      if (scope.audience !== undefined)
        judgeAudience(config, tenant, session, detected, scope.audience, raise);
    },

    learn({ tenant, session }) {
      if (session.audiences !== undefined) learnAudiences(tenant, session.audiences);
    },
  };
}

function judgeUse(
  { tokens }: TokenTenant,
  { event, call, session, decision }: DetectEvent,
  digest: string,
  raise: Raise,
): void {
  if (decision === 'deny' || event.result?.category === 'denied') return;
  const key = digest.slice(0, digestChars);
  const use = `${session.key} ${call?.index ?? event.event_id}`;
  const holder: Holder = {
    observer: `${event.source.vantage} ${event.source.dialect}`,
    actor: event.actor?.id,
    client: event.client?.name,
  };
  const known = tokens.get(key);
  if (known === undefined) {
    tokens.set(key, {
      holders: [holder],
      environment: event.environment,
      eventId: event.event_id,
      use: use.slice(0, 300),
      told: [],
    });
    if (tokens.size > maxTokens) {
      const oldest = tokens.keys().next();
      if (oldest.done !== true) tokens.delete(oldest.value);
    }
    return;
  }
  tokens.delete(key);
  const environment = known.environment ?? event.environment;
  tokens.set(key, environment === known.environment ? known : { ...known, environment });
  const tell = (kind: string, finding: () => Finding) => {
    if (known.told.includes(kind)) return;
    known.told.push(kind);
    raise(finding());
  };
  const told = { key, eventId: known.eventId };
  if (
    known.environment !== undefined &&
    event.environment !== undefined &&
    known.environment !== event.environment
  ) {
    const [first, second] = [known.environment, event.environment];
    tell('environment', () =>
      describeReuse({ ...told, kind: 'environment', first, second, isAsserted: false }),
    );
  }
  const reuse = reuseOf(known, holder, event.fact_sources?.['actor.id'] === 'client_asserted');
  if (reuse !== undefined) tell(reuse.kind, () => describeReuse({ ...told, ...reuse }));
  if (known.use !== use.slice(0, 300) && singleUse.test(event.scope?.credential_class ?? ''))
    tell('twice', () => describeTwice({ ...told, credentialClass: event.scope?.credential_class ?? '' }));
}

/** The same observer names another actor or client than before. */
function reuseOf(
  { holders }: TokenUse,
  holder: Holder,
  isAsserted: boolean,
): Pick<Reuse, 'kind' | 'first' | 'second' | 'isAsserted'> | undefined {
  const before = holders.find(({ observer }) => observer === holder.observer);
  if (before === undefined) {
    pushBounded(holders, holder, maxHolders);
    return undefined;
  }
  if (before.actor !== undefined && holder.actor !== undefined && before.actor !== holder.actor)
    return { kind: 'actor', first: before.actor, second: holder.actor, isAsserted };
  if (before.client !== undefined && holder.client !== undefined && before.client !== holder.client)
    return { kind: 'client', first: before.client, second: holder.client, isAsserted };
  return undefined;
}

/** Once a day for an actor's credentials of a class. */
function judgeLifetime(
  config: DetectConfig['token_misuse'],
  { toldMs }: TokenTenant,
  { event: { scope }, actorKey, timeMs, decision }: DetectEvent,
  raise: Raise,
): void {
  if (decision === 'deny') return;
  const credential = scope?.credential_class ?? '';
  const isNews = (kind: string) => {
    const key = itemHash(`${kind} ${actorKey} ${credential}`);
    const beforeMs = toldMs.get(key);
    if (beforeMs !== undefined && timeMs - beforeMs < againMs) return false;
    toldMs.delete(key);
    toldMs.set(key, timeMs);
    if (toldMs.size > maxTold) {
      const oldest = toldMs.keys().next();
      if (oldest.done !== true) toldMs.delete(oldest.value);
    }
    return true;
  };
  const ttlSec = scope?.ttl_sec ?? 0;
  if (ttlSec > config.ttl_max_sec && isNews('ttl'))
    raise(describeLifetime(actorKey, credential, ttlSec, config.ttl_max_sec));
  const ageSec = scope?.age_sec ?? 0;
  if (ageSec > config.age_max_sec && isNews('age'))
    raise(describeAge(actorKey, credential, ageSec, config.age_max_sec));
}
