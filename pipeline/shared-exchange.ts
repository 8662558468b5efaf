import { setTimeout as delay } from 'node:timers/promises';
import { inEpochOrder, type EpochChanges } from '../detectors/engine/shared-statistics.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Claim, Log } from '../streams/topic.ts';

/**
 * What partitions tell each other, on the compacted area `shared`: `shared/<partition>` says up to which epoch a
 * partition is complete, `shared/<partition>/<epoch>` holds what its tenants changed in an epoch. Both are functions of
 * the log, so writing them again after a crash changes nothing.
 */
export interface SharedExchange {
  /** Tells what the partition changed in an epoch, and that it is complete up to and with `through`. */
  tell(claim: Claim, told: EpochChanges, through: number): Promise<void>;
  /**
   * What all partitions changed in epochs after `after`, up to and with `upTo`, in the order to apply it. While some are
   * behind it gives what to wait for before asking again; when that takes too long it gives what there is, counts it and
   * says so: detection does not stop for a partition that nobody works on.
   */
  hear(after: number, upTo: number): Promise<Heard>;
}

export type Heard =
  | { readonly complete: true; readonly changes: readonly EpochChanges[] }
  | { readonly complete: false; readonly until: Promise<void> };

export interface SharedExchangeOptions {
  readonly log: Pick<Log, 'states'>;
  readonly partitions: number;
  /** Epochs that records can still be replayed from; what is older is removed. */
  readonly keptEpochs: number;
  readonly waitMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const POLL_MS = 500;
const PREFIX = 'shared/';

interface Told {
  readonly through: ReadonlyMap<number, number>;
  readonly changes: readonly EpochChanges[];
}

export function createSharedExchange(options: SharedExchangeOptions): SharedExchange {
  const { log, partitions, keptEpochs, logger, metrics } = options;
  let latest: Told | undefined;
  /** When somebody first asked for an epoch that was not complete. */
  const askedAt = new Map<number, number>();

  const isComplete = ({ through }: Told, upTo: number): boolean =>
    Array.from({ length: partitions }, (_, partition) => through.get(partition) ?? -1).every(
      (at) => at >= upTo,
    );

  return {
    async tell(claim, { epoch, partition, changes }, through) {
      await claim.share([
        { name: `${PREFIX}${partition}/${epoch}`, value: Buffer.from(JSON.stringify(changes)) },
        { name: `${PREFIX}${partition}/${epoch - keptEpochs}`, value: undefined },
        { name: `${PREFIX}${partition}`, value: Buffer.from(String(through)) },
      ]);
    },
    async hear(after, upTo) {
      if (latest === undefined || !isComplete(latest, upTo)) latest = await read(log);
      if (!isComplete(latest, upTo)) {
        const since = askedAt.get(upTo) ?? performance.now();
        askedAt.set(upTo, since);
        if (performance.now() - since < options.waitMs) return { complete: false, until: delay(POLL_MS) };
        metrics.sharedIncomplete.inc();
        const through = [...latest.through];
        logger.warn({ upTo, through }, 'shared statistics go on without partitions that are behind');
      }
      askedAt.clear();
      const changes = latest.changes.filter(({ epoch }) => epoch > after && epoch <= upTo);
      return { complete: true, changes: inEpochOrder(changes) };
    },
  };
}

async function read(log: Pick<Log, 'states'>): Promise<Told> {
  const through = new Map<number, number>();
  const changes: EpochChanges[] = [];
  for (const state of log.states('shared')) {
    for await (const { name, value } of state.entries(PREFIX)) {
      const [partition, epoch] = name.slice(PREFIX.length).split('/').map(Number);
      const text = Buffer.from(value).toString();
      if (partition === undefined) continue;
      if (epoch === undefined) through.set(partition, Number(text));
      else changes.push({ partition, epoch, changes: JSON.parse(text) as EpochChanges['changes'] });
    }
  }
  return { through, changes };
}
