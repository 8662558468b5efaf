import type { Finding } from '../evidence/finding.ts';
import type { NotaryConfig } from '../schemas/config.ts';
import type { AnchorHealth } from './anchoring.ts';
import type { NotaryCondition } from './notary.ts';

/** Tells conditions that a human must see, and that they are over. */
export interface Judge {
  /** What was wrong with entries that were read back in a step. */
  findings(findings: readonly Finding[]): void;
  /** Whether enough anchors hold a recent checkpoint. */
  anchors(health: readonly AnchorHealth[], nowMs: number): void;
  /** By how much the clock is behind the last checkpoint; 0 = it is not. */
  clock(behindMs: number): void;
}

export interface JudgeOptions {
  readonly config: Pick<NotaryConfig, 'anchors_required' | 'anchor_max_age_ms'>;
  readonly raise: (condition: NotaryCondition, message: string) => void;
  readonly clear: (condition: NotaryCondition) => void;
}

/** How long a gap may be there before it counts: parts of a replicated table arrive in any order. */
const GAP_PATIENCE_STEPS = 30;
const CLOCK_PATIENCE_MS = 5_000;

export function createJudge({ config, raise, clear }: JudgeOptions): Judge {
  /** Steps in which a log had a gap, one after the other. */
  const gaps = new Map<string, number>();
  return {
    findings(findings) {
      const waiting = new Set<string>();
      for (const { cause, log, seq, detail } of findings) {
        // The rest of a part that has arrived elsewhere first.
        if (cause === 'GAP') {
          waiting.add(log);
          gaps.set(log, (gaps.get(log) ?? 0) + 1);
          if ((gaps.get(log) ?? 0) < GAP_PATIENCE_STEPS) continue;
        }
        raise(
          { code: 'integrity', place: log },
          `cannot sign ${log} from entry ${seq ?? '?'} on: ${cause}: ${detail}`,
        );
      }
      for (const log of gaps.keys()) if (!waiting.has(log)) gaps.delete(log);
    },
    anchors(health, nowMs) {
      const behind = health.filter(
        ({ behind_since_ms }) =>
          behind_since_ms !== null && nowMs - behind_since_ms > config.anchor_max_age_ms,
      );
      const current = health.length - behind.length;
      if (current >= config.anchors_required) {
        clear({ code: 'anchors' });
        return;
      }
      const why = behind.map(({ id, error }) => `${id} (${error ?? 'no answer'})`).join(', ');
      raise(
        { code: 'anchors' },
        `${current} of ${health.length} anchors hold a recent checkpoint, ${config.anchors_required} are required; behind: ${why}`,
      );
    },
    clock(behindMs) {
      if (behindMs === 0) clear({ code: 'clock' });
      else if (behindMs > CLOCK_PATIENCE_MS)
        raise({ code: 'clock' }, `cannot sign: the clock is ${behindMs} ms behind the last checkpoint`);
    },
  };
}
