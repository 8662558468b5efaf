import type { CustodyEvent } from '../schemas/event.ts';
import type { Pin } from './content/tool-pins.ts';
import type { Raise } from './detector.ts';
import { describeWeakened } from './tool-change-words.ts';

type Annotations = NonNullable<NonNullable<CustodyEvent['tool']>['annotations']>;

/** A server that now calls a tool harmless which it called dangerous before; what is not said stays as it was. */
export function judgeHints(pin: Pin, toolKey: string, told: Annotations, raise: Raise): void {
  const { hints } = pin;
  const weakened = [
    ...(hints.destructive === true && told.destructive === false ? ['destructive no longer'] : []),
    ...(hints.readOnly === false && told.read_only === true ? ['read-only now'] : []),
  ];
  if (weakened.length > 0) raise(describeWeakened(toolKey, weakened, pin.eventId));
  keepHints(pin, told);
}

/** Takes hints as they are, as those of a definition that was approved. */
export function keepHints(pin: Pin, told: Annotations): void {
  pin.hints = {
    readOnly: told.read_only ?? pin.hints.readOnly,
    destructive: told.destructive ?? pin.hints.destructive,
  };
}
