import type { CustodyEvent, EventKind, FactSource } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { compact } from './compact.ts';
import type { Vantage } from './dialect.ts';
import { asIdentity, asText, type RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';

type Actor = NonNullable<CustodyEvent['actor']>;

/** Who acts, for whom, and on what runtime. */
export function actorOf(
  from: (field: number) => AttributeValue | undefined,
  runtime: string | undefined,
  vantage: Vantage,
  counts: RedactionCounts,
): Actor | undefined {
  const id = asIdentity(from(F.actorId), counts);
  return compact<Actor>({
    id,
    runtime_id: asIdentity(from(F.runtimeId), counts) ?? runtime,
    type:
      actorType(asText(from(F.actorType))) ?? (vantage === 'agent' && id !== undefined ? 'agent' : undefined),
    user_id: asIdentity(from(F.userId), counts),
  });
}

function actorType(stated: string | undefined): Actor['type'] {
  switch (stated?.toLowerCase()) {
    case undefined:
      return undefined;
    case 'agent':
    case 'ai_agent':
    case 'assistant':
      return 'agent';
    case 'human':
    case 'user':
      return 'human';
    case 'service':
    case 'service_account':
    case 'system':
      return 'service';
    default:
      return 'unknown';
  }
}

/** Who vouches for the identity facts that are present, in key order. */
export function factSources(
  facts: Pick<CustodyEvent, 'actor' | 'client' | 'server' | 'scope' | 'policy'>,
  vantage: Vantage,
  kind: EventKind,
): Record<string, FactSource> | undefined {
  const by = sourceOfVantage(vantage);
  const policyBy = kind === 'policy' && vantage !== 'client' ? 'policy_engine' : by;
  return compact<Record<string, FactSource>>({
    'actor.id': facts.actor?.id === undefined ? undefined : by,
    'actor.runtime_id': facts.actor?.runtime_id === undefined ? undefined : by,
    'actor.user_id': facts.actor?.user_id === undefined ? undefined : by,
    'client.name':
      facts.client?.name === undefined ? undefined : by === 'server_asserted' ? 'client_asserted' : by,
    'policy.decision': facts.policy?.decision === undefined ? undefined : policyBy,
    'scope.grants': facts.scope?.grants === undefined ? undefined : by,
    'server.name': facts.server?.name === undefined ? undefined : by,
  });
}

function sourceOfVantage(vantage: Vantage): FactSource {
  switch (vantage) {
    case 'server':
      return 'server_asserted';
    case 'gateway':
      return 'gateway_observed';
    case 'tap':
      return 'tap_observed';
    case 'client':
    case 'agent':
    case 'unknown':
      return 'client_asserted';
  }
}
