/** Conditions a human must see: shown by `/readyz`, `status` and metrics until the process is restarted. */
export interface Alarm {
  readonly component: string;
  readonly code: string;
  /** Topic and partition, where it is about one. */
  readonly place?: string;
  readonly message: string;
}

export interface Alarms {
  raise(alarm: Alarm): void;
  readonly active: readonly Alarm[];
}

const isAbout = (known: Alarm, { component, code, place }: Alarm): boolean =>
  known.component === component && known.code === code && known.place === place;

/** Each condition is raised once. */
export function createAlarms(onRaise: (alarm: Alarm) => void): Alarms {
  const active: Alarm[] = [];
  return {
    active,
    raise(alarm) {
      if (active.some((known) => isAbout(known, alarm))) return;
      active.push(alarm);
      onRaise(alarm);
    },
  };
}
