import type { Engine, EngineOptions } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { ControlRecord, ControlRecords } from './control-records.ts';
import type { StoredRow } from './stored-row.ts';

export interface UnitPlayerOptions {
  readonly config: DetectConfig;
  /** In force from the start, in place of what the log has of their types. */
  readonly inForce: readonly CustodyEvent[];
  readonly control: ControlRecords;
  /** Alerts about times before are of the warm-up. */
  readonly fromMs: number;
  readonly onAlert: (alert: Alert) => void;
  /** Told of each event, those of the warm-up too. */
  readonly onEvent?: (event: CustodyEvent, appendTimeMs: number) => void;
  /** How engines are listened to. */
  readonly engine?: Pick<EngineOptions, 'onScore' | 'wrap' | 'aroundRule'>;
}

/** Plays the rows of one unit after another; tenants follow each other, each in log order. */
export interface UnitPlayer {
  play(row: StoredRow): void;
  /** The next row is of another unit. */
  next(): void;
}

/** Tenants that are played one after another in one engine: what a tenant leaves behind is not dropped before. */
const TENANTS_PER_ENGINE = 64;
const none: readonly ControlRecord[] = [];

/**
 * The engine that runs live, given each tenant's records in log order, with the documents that were in force at each record's
 * place. Tenants share nothing in an engine but its bounds, so they may be played one by one.
 */
export function createUnitPlayer(options: UnitPlayerOptions): UnitPlayer {
  const { config, inForce, control, fromMs, onAlert } = options;
  let engine: Engine | undefined;
  let tenant: string | undefined;
  let tenants = 0;
  let pending: readonly ControlRecord[] = none;
  let at = 0;

  function begin({ partition, appendTimeMs }: StoredRow): Engine {
    pending = control.get(partition) ?? none;
    at = 0;
    tenants = 0;
    const begun = createEngine(config, options.engine);
    for (const event of inForce) begun.process({ event, appendTimeMs });
    return begun;
  }

  /** A document has come into force that was not yet when this tenant began. */
  const isSpent = (row: StoredRow) =>
    tenants >= TENANTS_PER_ENGINE ||
    (control.get(row.partition) ?? none) !== pending ||
    (at > 0 && (pending[at - 1]?.offset ?? 0n) >= row.offset);

  return {
    play(row) {
      const event = JSON.parse(row.body.toString('utf8')) as CustodyEvent;
      if (event.tenant !== tenant) {
        if (engine === undefined || isSpent(row)) engine = begin(row);
        tenant = event.tenant;
        tenants += 1;
      }
      if (engine === undefined) return;
      options.onEvent?.(event, row.appendTimeMs);
      for (let next = pending[at]; next !== undefined && next.offset < row.offset; next = pending[at]) {
        engine.process(next);
        at += 1;
      }
      for (const alert of engine.process({ event, appendTimeMs: row.appendTimeMs }))
        if (Number(alert.time_unix_nano.slice(0, -6)) >= fromMs) onAlert(alert);
    },
    next() {
      engine = undefined;
      tenant = undefined;
    },
  };
}
