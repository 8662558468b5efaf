import type { StoredAnchorEvidence } from '../sinks/store/checkpoints.ts';
import { backoffMs, sleep } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { CustodyError, IntegrityError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { createWakeUp, type WakeUp } from './wake-up.ts';
import type { Anchor, AnchoredCheckpoint, AnchorEvidence } from './anchor.ts';

/** How far one anchor is. */
export interface AnchorHealth {
  readonly id: string;
  readonly type: string;
  /** Size of the largest checkpoint it holds, as a decimal string; `none` since this start. */
  readonly anchored_size: string;
  /** Since when a checkpoint waits for it; `null` = none does. */
  readonly behind_since_ms: number | null;
  /** Why it does not take one now. */
  readonly error: string | null;
}

export interface Anchoring {
  /** A newer checkpoint: every anchor gets it as soon as it can; older ones that wait are passed over. */
  offer(checkpoint: AnchoredCheckpoint): void;
  health(): readonly AnchorHealth[];
  /** Size that at least this many anchors hold. */
  anchoredSize(count: number): bigint;
  /** Runs until the signal aborts. */
  run(): Promise<void>;
}

export interface AnchoringOptions {
  readonly anchors: readonly Anchor[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Keeps what an anchor gave back. */
  readonly keep: (evidence: StoredAnchorEvidence) => Promise<void>;
  /** An anchor holds another history: never over. */
  readonly onIntegrity: (error: IntegrityError, anchorId: string) => void;
  readonly random?: () => number;
}

const RETRY = { base_ms: 500, cap_ms: 60_000 };
/** An anchor with a rate of its own is asked again. */
const ASK_AGAIN_MS = 5_000;
/** Nothing waits; the next checkpoint ends the pause. */
const IDLE_MS = 60_000;

interface Runner {
  readonly anchor: Anchor;
  waiting: { readonly checkpoint: AnchoredCheckpoint; readonly sinceMs: number } | undefined;
  anchored: { readonly size: bigint; readonly atMs: number } | undefined;
  error: string | null;
  readonly wakeUp: WakeUp;
}

/** Brings checkpoints to every anchor, each at its own pace: a slow or dead one holds up nobody. */
export function createAnchoring(options: AnchoringOptions): Anchoring {
  const { anchors, clock, logger, keep, signal } = options;
  const random = options.random ?? Math.random;
  const runners = anchors.map((anchor): Runner => ({
    anchor,
    waiting: undefined,
    anchored: undefined,
    error: null,
    wakeUp: createWakeUp(signal),
  }));

  async function publish(runner: Runner, checkpoint: AnchoredCheckpoint): Promise<boolean> {
    const evidence = await runner.anchor.publish(checkpoint);
    runner.error = null;
    if (evidence === undefined) return false;
    await keep({
      size: checkpoint.size,
      anchor: runner.anchor.id,
      type: evidence.type,
      timeMs: clock.nowMs(),
      evidence: textOf(evidence),
    });
    runner.anchored = { size: checkpoint.size, atMs: clock.nowMs() };
    if (runner.waiting?.checkpoint === checkpoint) runner.waiting = undefined;
    return true;
  }

  async function runOne(runner: Runner): Promise<void> {
    let attempt = 0;
    while (!signal.aborted) {
      const { waiting, anchor } = runner;
      if (waiting === undefined) {
        await runner.wakeUp.wait(IDLE_MS);
        continue;
      }
      try {
        if (!(await publish(runner, waiting.checkpoint))) await sleep(ASK_AGAIN_MS, signal);
        attempt = 0;
      } catch (error) {
        if (!(error instanceof CustodyError)) throw error;
        runner.error = error.message;
        if (error instanceof IntegrityError) {
          logger.error({ anchor: anchor.id, err: error }, 'an anchor holds another history');
          options.onIntegrity(error, anchor.id);
          return;
        }
        logger.warn(
          { anchor: anchor.id, attempt, err: error },
          'checkpoint not anchored; it will be repeated',
        );
        await sleep(backoffMs(attempt, RETRY, random), signal);
        attempt += 1;
      }
    }
  }

  return {
    offer(checkpoint) {
      for (const runner of runners) {
        runner.waiting = { checkpoint, sinceMs: runner.waiting?.sinceMs ?? clock.nowMs() };
        runner.wakeUp.wake();
      }
    },
    health: () =>
      runners.map(({ anchor, anchored, waiting, error }) => ({
        id: anchor.id,
        type: anchor.type,
        anchored_size: anchored === undefined ? 'none' : String(anchored.size),
        behind_since_ms: waiting === undefined ? null : behindSince(anchor, anchored, waiting.sinceMs),
        error,
      })),
    anchoredSize(count) {
      if (count === 0) return 1n << 63n;
      const sizes = runners
        .map(({ anchored }) => anchored?.size ?? 0n)
        .sort((a, b) => (a > b ? -1 : a < b ? 1 : 0));
      return sizes[count - 1] ?? 0n;
    },
    async run() {
      await Promise.all(runners.map(runOne));
    },
  };
}

/** An anchor with a rate of its own is behind once the rate lets it take the checkpoint. */
function behindSince({ minIntervalMs }: Anchor, anchored: Runner['anchored'], sinceMs: number): number {
  return anchored === undefined ? sinceMs : Math.max(sinceMs, anchored.atMs + (minIntervalMs ?? 0));
}

function textOf(evidence: AnchorEvidence): string {
  switch (evidence.type) {
    case 'cosignature':
      return evidence.line;
    case 'timestamp':
      return Buffer.from(evidence.token).toString('base64');
    case 'place':
      return evidence.place;
  }
}
