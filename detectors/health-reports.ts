import type { DetectConfig } from '../schemas/config.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import type { DetectEvent, Raise } from './detector.ts';
import { describeQueue, describeStatus } from './health-words.ts';

type Status = 'ok' | 'degraded' | 'failing' | 'down';

/** What a component last said of itself. */
export interface Component {
  status: Status;
  readonly depths: number[];
  readonly depthIds: string[];
  isRising: boolean;
}

const maxComponents = 256;
/** A first report and three that are higher. */
const risingReports = 4;

/** Components that say themselves that they do not work, and queues that only grow. */
export function judgeReport(
  config: DetectConfig['health'],
  { event }: DetectEvent,
  components: Map<string, Component>,
  raise: Raise,
): void {
  const { health } = event;
  if (health === undefined) return;
  const { component: name, dependency, status, queue_depth: depth } = health;
  const component = keptEntry(components, `${name}\n${dependency ?? ''}`, maxComponents, newComponent);
  if (status !== undefined) {
    if (status !== component.status && status !== 'ok')
      raise(describeStatus(event, name, dependency, status, component.status));
    component.status = status;
  }
  if (depth === undefined) return;
  pushBounded(component.depths, depth, risingReports);
  pushBounded(component.depthIds, event.event_id, risingReports);
  const isRising =
    component.depths.length === risingReports &&
    depth >= config.queue_depth_min &&
    component.depths.every((later, index) => index === 0 || later > (component.depths[index - 1] ?? 0));
  if (isRising && !component.isRising)
    raise(describeQueue(event, name, component.depths, component.depthIds));
  component.isRising = isRising;
}

function newComponent(): Component {
  return { status: 'ok', depths: [], depthIds: [], isRising: false };
}
