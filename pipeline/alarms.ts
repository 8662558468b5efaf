/** Conditions a human must see: shown by `/readyz`, `status` and metrics until the process is restarted. */
export interface Alarm {
  readonly component: string;
  readonly code: string;
  readonly message: string;
}

export interface Alarms {
  raise(alarm: Alarm): void;
  readonly active: readonly Alarm[];
}

export function createAlarms(onRaise: (alarm: Alarm) => void): Alarms {
  const active: Alarm[] = [];
  return {
    active,
    raise(alarm) {
      if (active.some((known) => known.component === alarm.component && known.code === alarm.code)) return;
      active.push(alarm);
      onRaise(alarm);
    },
  };
}
