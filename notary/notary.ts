import type { AnchorAct } from '../evidence/anchor-log/entry.ts';
import { growRange } from '../evidence/merkle/compact-range.ts';
import { parseNote } from '../evidence/note/note.ts';
import { sleep } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Component } from '../runtime/component.ts';
import { ConfigError, CustodyError, IntegrityError, PermanentError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { supervise } from '../runtime/supervise.ts';
import type { NotaryConfig } from '../schemas/config.ts';
import { newestCheckpoint } from '../sinks/store/checkpoints.ts';
import type { Store } from '../sinks/store/store.ts';
import { createActQueue } from './acts.ts';
import type { Anchor } from './anchor.ts';
import { type AnchorHealth, createAnchoring } from './anchoring.ts';
import { findLost } from './discover.ts';
import { refuseOtherHistory } from './history.ts';
import { createJudge } from './judge.ts';
import { keyInForce, type NotaryKeys, publishKey } from './keys.ts';
import { publishAgain, type Published } from './published.ts';
import { type EnteredAct } from './requests.ts';
import type { StateDirectory } from './state-directory.ts';
import { createPublisher, runStep, type StepContext } from './step.ts';
import { createWakeUp } from './wake-up.ts';

/** A condition of the notary that a human must see, or that is over. */
export interface NotaryCondition {
  readonly code: 'integrity' | 'clock' | 'anchors' | 'refused';
  /** A log, or an anchor. */
  readonly place?: string;
}

export interface NotaryOptions {
  readonly deployment: string;
  readonly config: Pick<
    NotaryConfig,
    'interval_ms' | 'entries_max' | 'anchors_required' | 'anchor_max_age_ms'
  >;
  readonly store: Pick<Store, 'raw' | 'publish' | 'addAnchorEvidence'>;
  readonly directory: StateDirectory;
  readonly keys: NotaryKeys;
  readonly anchors: readonly Anchor[];
  /** Without it a store that is put back from an older copy lacks entries of the anchor log for ever. */
  readonly published?: Published;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly raise: (condition: NotaryCondition, message: string) => void;
  readonly clear: (condition: NotaryCondition) => void;
}

export interface NotaryStatus {
  readonly origin: string;
  readonly verifier_key: string;
  /** Entries of the anchor log that are signed, as a decimal string. */
  readonly size: string;
  readonly logs: number;
  /** When it signed last, milliseconds since the epoch; 0 = never. */
  readonly signed_at_ms: number;
  readonly anchors: readonly AnchorHealth[];
}

export interface Notary extends Component {
  /** Enters an act and resolves when a signed checkpoint in the store covers it. Rejects with InputError when refused. */
  enter(act: AnchorAct): Promise<EnteredAct>;
  status(): NotaryStatus;
  /** Size of the anchor log that as many anchors hold as the configuration requires. */
  anchoredSize(): bigint;
}

const STEP_ENTRIES_MAX = 50_000n;
const LOOK_MS = 1_000;
const LAST_ANCHORS_MS = 2_000;

/**
 * Signs what is in the store: reads entries back, recomputes them, extends the trees, signs checkpoints, remembers them, and
 * then publishes them to the store and to the anchors. It has its own key and state; the ledger writer has neither. What
 * contradicts the signed past, or itself, is never signed: the log stops, the alarm is raised, the other logs go on.
 */
export function createNotary(options: NotaryOptions): Notary {
  const { config, store, directory, keys, anchors, published, clock, logger, metrics, raise, clear } =
    options;
  const { origin } = directory.state;
  const stopping = new AbortController();
  const anchorsStopping = new AbortController();
  const wakeUp = createWakeUp(stopping.signal);
  const queue = createActQueue(directory.path, wakeUp.wake);
  const refused = new Set<string>();
  const judge = createJudge({ config, raise, clear });
  let running: Promise<unknown> = Promise.resolve();
  let anchored: Promise<unknown> = Promise.resolve();
  /** It has begun to sign, and nothing it saw forbids it to go on. */
  let signsAtStop = false;
  let lastCycleMs = clock.nowMs();
  let offered = 0n;

  const anchoring = createAnchoring({
    anchors,
    clock,
    logger,
    signal: anchorsStopping.signal,
    keep: (evidence) => store.addAnchorEvidence(origin, [evidence]),
    onIntegrity: (error, place) => raise({ code: 'integrity', place }, error.message),
  });

  function offerHead(): void {
    const { note, anchor, timeMs } = directory.state;
    if (note === '' || offered === anchor.end) return;
    offered = anchor.end;
    const size = anchor.end;
    anchoring.offer({
      origin,
      size,
      root: growRange(anchor).root(),
      timeMs,
      note: parseNote(note),
      proofFrom: (oldSize) => directory.nodes.consistencyProof(oldSize, size),
    });
  }

  /** Signed entries that are gone or changed: their logs are signed no further. */
  async function refuseLost(): Promise<void> {
    for (const { log, seq, isOther } of await findLost(store.raw, directory.state)) {
      if (refused.has(log)) continue;
      refused.add(log);
      const cause = isOther ? 'HEAD_MISMATCH' : 'TRUNCATED';
      const message = `cannot sign ${log} any more: ${cause}: entry ${seq}, which was signed, ${isOther ? 'is another now' : 'is not in the store'}`;
      raise({ code: 'integrity', place: log }, message);
    }
  }

  const context: StepContext = {
    deployment: options.deployment,
    raw: store.raw,
    publish: createPublisher({
      async publish(publication) {
        await published?.add(publication);
        await store.publish(publication);
      },
    }),
    directory,
    keys,
    acts: queue,
    nowMs: () => clock.nowMs(),
    refused,
    stuck: new Set(),
    entriesMax: STEP_ENTRIES_MAX,
    isDue: (unsignedCount, actCount) =>
      actCount > 0 ||
      unsignedCount >= BigInt(config.entries_max) ||
      (unsignedCount > 0n && (stopping.signal.aborted || clock.nowMs() - lastCycleMs >= config.interval_ms)),
  };

  /** What came in since the last cycle is signed before the process ends, and given to anchors that answer at once. */
  async function signLast(): Promise<void> {
    try {
      await refuseLost();
      await runStep(context, false);
      offerHead();
      const deadline = performance.now() + LAST_ANCHORS_MS;
      const waits = () =>
        anchoring.health().some(({ behind_since_ms, error }) => behind_since_ms !== null && error === null);
      while (waits() && performance.now() < deadline) await sleep(20);
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      logger.warn({ err: error }, 'the last entries are not signed yet; the next start does');
    }
  }

  /** Leaves the public half of the key in force for verifiers, and no trace of the one before. */
  async function settleKey(): Promise<void> {
    const key = await keyInForce(keys, directory.state.verifierKey);
    await publishKey(directory.path, key);
    await keys.settle(key);
  }

  /** A store that was put back from an older copy gets its part of the anchor log again. */
  async function mendStore(): Promise<void> {
    if (published === undefined) return;
    const newest = await newestCheckpoint(store.raw, origin);
    if ((newest?.size ?? 0n) < (directory.state.publication?.entries[0]?.seq ?? 0n))
      logger.warn(
        { origin, from: String(newest?.size ?? 0n) },
        'the store lacks a part of the anchor log, as after a restore: it is published again',
      );
    for (const { from, to } of await publishAgain(store, directory.state, published))
      raise(
        { code: 'integrity', place: origin },
        `cannot put entries ${from} to ${to - 1n} of ${origin} back into the store: they are kept here no longer; restore a newer backup of the store`,
      );
  }

  async function run(progressed: () => void): Promise<void> {
    let whole = true;
    await settleKey();
    await refuseOtherHistory(store.raw, directory, anchors, logger);
    await mendStore();
    signsAtStop = true;
    while (!stopping.signal.aborted) {
      const keyBefore = directory.state.verifierKey;
      await refuseLost();
      const step = await runStep(context, whole);
      clear({ code: 'refused' });
      progressed();
      judge.clock(step.state === 'clock_behind' ? step.byMs : 0);
      if (step.state !== 'clock_behind') whole = !step.isWhole && whole;
      if (step.state === 'signed') {
        lastCycleMs = clock.nowMs();
        judge.findings(step.findings);
        metrics.checkpointSize.set(Number(directory.state.anchor.end));
        metrics.checkpointTime.set(directory.state.timeMs / 1000);
      }
      if (step.state === 'idle' && step.unsignedCount === 0n) lastCycleMs = clock.nowMs();
      if (directory.state.verifierKey !== keyBefore) await settleKey();
      offerHead();
      for (const { id, anchored_size } of anchoring.health())
        metrics.anchoredSize.set({ anchor: id }, anchored_size === 'none' ? 0 : Number(anchored_size));
      judge.anchors(anchoring.health(), clock.nowMs());
      const isBehind = step.state === 'signed' && !step.isWhole && step.findings.length === 0;
      if (!isBehind) await wakeUp.wait(Math.min(config.interval_ms, LOOK_MS));
    }
  }

  /** Somebody has to change something, such as a grant; until then it is tried again. */
  function tellRefusal(error: unknown): never {
    if (error instanceof PermanentError || error instanceof ConfigError)
      raise({ code: 'refused' }, error.message);
    throw error;
  }

  return {
    name: 'notary',
    start() {
      const supervised = supervise({
        about: { stage: 'notary' },
        run: (progressed) => run(progressed).catch(tellRefusal),
        signal: stopping.signal,
        logger,
        onIntegrity(error) {
          signsAtStop = false;
          raise({ code: 'integrity' }, error.message);
        },
        isRepeatable: (error) => error instanceof CustodyError && !(error instanceof IntegrityError),
      });
      running = supervised;
      anchored = anchoring.run();
      return Promise.resolve();
    },
    async stop() {
      stopping.abort();
      await running;
      if (signsAtStop) await signLast();
      anchorsStopping.abort();
      await anchored;
      for (const anchor of anchors) await anchor.close();
      await directory.close();
    },
    enter: (act) => queue.enter(act),
    anchoredSize: () => anchoring.anchoredSize(config.anchors_required),
    status: () => ({
      origin,
      verifier_key: directory.state.verifierKey,
      size: String(directory.state.anchor.end),
      logs: directory.state.logs.size,
      signed_at_ms: directory.state.timeMs,
      anchors: anchoring.health(),
    }),
  };
}
