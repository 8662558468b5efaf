import { grouped } from '../../detectors/grouped.ts';

/** What a label says of the session it is about. */
export interface Labelled {
  readonly session: string;
  /** Empty where the label names none. */
  readonly tenant: string;
  /** Tenant whose session it is, where more than one has a session of this name: set by `matchLabels`. */
  readonly playedIn?: string;
}

/** What a line or an alert says of its session. */
interface Placed {
  readonly session: string;
  readonly tenant?: string | undefined;
}

/** Names a session of a recording: one name in two tenants is two sessions. */
export const sessionId = (tenant: string, session: string): string => `${tenant}\n${session}`;

/**
 * Labels with the sessions they are about, of those that were played. The name is enough, as for the scorer of the
 * recordings, unless several tenants have a session of this name.
 */
export function matchLabels<L extends Labelled>(
  labels: readonly L[],
  played: ReadonlySet<string>,
): { readonly labels: readonly L[]; readonly missing: number } {
  const tenantsOf = new Map<string, string[]>();
  for (const id of played) {
    const [tenant = '', ...name] = id.split('\n');
    const session = name.join('\n');
    tenantsOf.set(session, [...(tenantsOf.get(session) ?? []), tenant]);
  }
  let missing = 0;
  const matched = labels.map((label) => {
    const tenants = tenantsOf.get(label.session) ?? [];
    if (tenants.length === 0) missing += 1;
    const tenant = label.tenant.toLowerCase();
    return tenants.length > 1 && tenants.includes(tenant) ? { ...label, playedIn: tenant } : label;
  });
  return { labels: matched, missing };
}

/** Whether one of the labels is about what is asked. */
export function isOfAny(labels: readonly Labelled[]): (placed: Placed) => boolean {
  const bySession = grouped(labels, ({ session }) => session);
  return (placed) => (bySession.get(placed.session) ?? []).some((label) => isOf(label, placed));
}

/** Gives for a label what is about its session. */
export function byLabel<P extends Placed>(placed: readonly P[]): (label: Labelled) => readonly P[] {
  const bySession = grouped(placed, ({ session }) => session);
  return (label) => {
    const those = bySession.get(label.session) ?? [];
    return label.playedIn === undefined ? those : those.filter((each) => isOf(label, each));
  };
}

function isOf({ playedIn }: Labelled, { tenant }: Placed): boolean {
  return playedIn === undefined || playedIn === tenant;
}
