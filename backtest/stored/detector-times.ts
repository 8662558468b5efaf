import type { Detector } from '../../detectors/detector.ts';
import type { EngineOptions } from '../../detectors/engine/contract.ts';

/**
 * Time in each detector, in milliseconds, by its id, and in each rule, as `rule/<id>`: what rules take is a part of what the
 * detector `rules` takes. Detectors see no clock: it is read around them.
 */
export type DetectorTimes = Record<string, number>;

/** An engine with these adds up what its detectors and rules take. */
export function timing(times: DetectorTimes): Required<Pick<EngineOptions, 'wrap' | 'aroundRule'>> {
  return {
    wrap: (detector) => timedDetector(detector, times),
    aroundRule(ruleId, work) {
      const id = `rule/${ruleId}`;
      const startedMs = performance.now();
      work();
      times[id] = (times[id] ?? 0) + performance.now() - startedMs;
    },
  };
}

/** The detector with a clock around what it does; costs some 50 ns a call. */
function timedDetector(detector: Detector, times: DetectorTimes): Detector {
  const { id } = detector;
  times[id] ??= 0;
  const add = (startedMs: number) => {
    times[id] = (times[id] ?? 0) + performance.now() - startedMs;
  };
  return {
    ...detector,
    step(event, state, raise) {
      const startedMs = performance.now();
      detector.step(event, state, raise);
      add(startedMs);
    },
    ...(detector.learn === undefined
      ? {}
      : {
          learn(state) {
            const startedMs = performance.now();
            detector.learn?.(state);
            add(startedMs);
          },
        }),
  };
}
