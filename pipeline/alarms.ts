/** Conditions a human must see: shown by `/readyz`, `status` and metrics until they are over or the process is restarted. */
export interface Alarm {
  readonly component: string;
  readonly code: string;
  /** Topic and partition, where it is about one. */
  readonly place?: string;
  readonly message: string;
  /** The process does its work all the same, and stays ready. */
  readonly advisory?: true;
}

export interface Alarms {
  raise(alarm: Alarm): void;
  /** The condition is over. Evidence that contradicts itself never is. */
  clear(condition: Omit<Alarm, 'message'>): void;
  readonly active: readonly Alarm[];
}

const isAbout = (known: Alarm, { component, code, place }: Omit<Alarm, 'message'>): boolean =>
  known.component === component && known.code === code && known.place === place;

/** Each condition is raised once. */
export function createAlarms(
  onRaise: (alarm: Alarm) => void,
  onClear: (condition: Omit<Alarm, 'message'>) => void = () => undefined,
): Alarms {
  const active: Alarm[] = [];
  return {
    active,
    raise(alarm) {
      if (active.some((known) => isAbout(known, alarm))) return;
      active.push(alarm);
      onRaise(alarm);
    },
    clear(condition) {
      const at = active.findIndex((known) => isAbout(known, condition));
      if (at < 0) return;
      active.splice(at, 1);
      onClear(condition);
    },
  };
}
