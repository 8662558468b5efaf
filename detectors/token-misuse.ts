import type { DetectConfig } from '../schemas/config.ts';
import { pushBounded } from './counters/kept-entry.ts';
import { isNews, type ToldTimes } from './counters/told-times.ts';
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
  readonly vantage: string;
  readonly dialect: string;
  readonly actor: string | undefined;
  readonly client: string | undefined;
  /** What it was first used for: session and call, or an event about no call. */
  readonly session: string;
  readonly use: number | string;
}

interface TokenUse {
  readonly holders: Holder[];
  readonly environment: string | undefined;
  readonly eventId: string;
  /** Kinds of misuse told. */
  readonly told: string[];
}

interface TokenTenant extends AudienceTenant {
  /** Least recently used first. */
  readonly tokens: Map<string, TokenUse>;
  /** When a credential of an actor was last told to live too long or to be too old. */
  readonly toldMs: ToldTimes<number>;
}

export interface TokenSession {
  /** Hashes of server and audience in turn. */
  audiences: number[] | undefined;
  /** The last claims looked at: most calls of a session repeat them. */
  last: string;
}

const maxTokens = 512;
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
  const holder: Holder = {
    vantage: event.source.vantage,
    dialect: event.source.dialect,
    actor: event.actor?.id,
    client: event.client?.name,
    session: session.key,
    use: call?.index ?? event.event_id,
  };
  const known = tokens.get(key);
  if (known === undefined) {
    tokens.set(key, {
      holders: [holder],
      environment: event.environment,
      eventId: event.event_id,
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
  const before = known.holders.find(
    ({ vantage, dialect }) => vantage === holder.vantage && dialect === holder.dialect,
  );
  if (before === undefined) {
    pushBounded(known.holders, holder, maxHolders);
    return;
  }
  const isAsserted = event.fact_sources?.['actor.id'] === 'client_asserted';
  const reuse = reuseOf(before, holder);
  if (reuse !== undefined) tell(reuse.kind, () => describeReuse({ ...told, ...reuse, isAsserted }));
  const credentialClass = event.scope?.credential_class ?? '';
  const isSameUse = before.session === holder.session && before.use === holder.use;
  if (!isSameUse && singleUse.test(credentialClass))
    tell('twice', () => describeTwice({ ...told, credentialClass }));
}

/** The same observer names another actor or client than before. */
function reuseOf(before: Holder, now: Holder): Pick<Reuse, 'kind' | 'first' | 'second'> | undefined {
  if (before.actor !== undefined && now.actor !== undefined && before.actor !== now.actor)
    return { kind: 'actor', first: before.actor, second: now.actor };
  if (before.client !== undefined && now.client !== undefined && before.client !== now.client)
    return { kind: 'client', first: before.client, second: now.client };
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
  const isDue = (kind: string) =>
    isNews(toldMs, itemHash(`${kind} ${actorKey} ${credential}`), timeMs, againMs, maxTold);
  const ttlSec = scope?.ttl_sec ?? 0;
  if (ttlSec > config.ttl_max_sec && isDue('ttl'))
    raise(describeLifetime(actorKey, credential, ttlSec, config.ttl_max_sec));
  const ageSec = scope?.age_sec ?? 0;
  if (ageSec > config.age_max_sec && isDue('age'))
    raise(describeAge(actorKey, credential, ageSec, config.age_max_sec));
}
