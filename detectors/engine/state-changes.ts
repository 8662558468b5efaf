import type { LiveTenant, SessionRecord } from './engine-state.ts';
import { encodeState, sessionName, tenantName, type StateChange } from './snapshot.ts';

/** Tenants and sessions that are not as the last snapshot has them. */
export function createStateChanges(version: string) {
  const tenants = new Map<string, LiveTenant | undefined>();
  const sessions = new Set<SessionRecord>();
  const gone = new Set<string>();

  return {
    noteTenant: (tenant: LiveTenant): void => void tenants.set(tenant.record.tenant, tenant),
    noteTenantGone: ({ record }: LiveTenant): void => void tenants.set(record.tenant, undefined),
    noteSession: (session: SessionRecord): void => void sessions.add(session),
    /** The session ended, or goes by another key from now on. */
    noteSessionGone: (session: SessionRecord): void => {
      sessions.delete(session);
      gone.add(sessionName(session.tenant, session.key));
    },
    isEmpty: () => sessions.size + gone.size + tenants.size === 0,
    /** Each piece is made as it is asked for; after the last one nothing has changed any more. */
    *take(): Iterable<StateChange> {
      for (const session of sessions) {
        const name = sessionName(session.tenant, session.key);
        gone.delete(name);
        yield { name, value: encodeState(version, session) };
      }
      for (const name of gone) yield { name, value: undefined };
      for (const [name, tenant] of tenants)
        yield {
          name: tenantName(name),
          value: tenant === undefined ? undefined : encodeState(version, tenant.record),
        };
      gone.clear();
      sessions.clear();
      tenants.clear();
    },
  };
}
