import type { Engine } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import { createSharedReplay } from '../../detectors/engine/shared-replay.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { timing, type DetectorTimes } from './detector-times.ts';
import type { PlayedStore, PlayStoreOptions } from './play-store.ts';
import { createRangeSessions } from './range-sessions.ts';
import { newScoreSummary, scoreSummaryProbe } from './score-summary.ts';
import { jsonRows, rangeParameters } from './stored-query.ts';
import { readRows, ROW_COLUMNS } from './stored-row.ts';

/**
 * Plays stored history where tenants share statistics: all partitions in one thread, epoch by epoch, as the live exchange
 * tells them. Slower than `playStore`, with the alerts the live engines raise.
 */
export async function playSharedStore(options: PlayStoreOptions): Promise<PlayedStore> {
  const { query, range, config, inForce, profile, sessions, onProgress } = options;
  const epochMs = config.shared_statistics.epoch_ms;
  const where =
    "topic = 'custody.events' AND kind = 'event' AND kts_ms >= {since:Int64} AND kts_ms < {until:Int64}";
  const parameters = rangeParameters(range);
  const spans = await jsonRows<{ epoch: string; n: string }>(
    await query(
      `SELECT toString(intDiv(kts_ms, ${epochMs})) AS epoch, toString(count()) AS n FROM custody.entries WHERE ${where} GROUP BY epoch ORDER BY toInt64(epoch) FORMAT JSONEachRow`,
      parameters,
    ),
  );
  const total = spans.reduce((sum, { n }) => sum + Number(n), 0);
  const shared = createSharedReplay(epochMs);
  const scores = newScoreSummary();
  const onScore = scoreSummaryProbe(scores, sessions);
  const times: DetectorTimes = {};
  const inRange = createRangeSessions(sessions, range);
  const replaced = new Set(inForce.map(({ policy_document: document }) => document?.type));
  const engines = new Map<number, Engine>();
  const alerts: Alert[] = [];
  const startedMs = performance.now();
  let events = 0;
  const engineOf = (partition: number, appendTimeMs: number) => {
    let engine = engines.get(partition);
    if (engine === undefined) {
      engine = createEngine(config, { onScore, ...(profile ? timing(times) : {}) });
      for (const event of inForce) engine.process({ event, appendTimeMs });
      engines.set(partition, engine);
    }
    return engine;
  };
  for (const { epoch } of spans) {
    const since = Math.max(Number(epoch) * epochMs, range.warmupFromMs);
    const until = Math.min((Number(epoch) + 1) * epochMs, range.toMs);
    const answer = await query(
      `SELECT ${ROW_COLUMNS} FROM custody.entries WHERE ${where} ORDER BY kpart, koffset FORMAT RowBinary`,
      { since: String(Math.trunc(since)), until: String(Math.trunc(until)) },
    );
    for (const { partition, appendTimeMs, body } of readRows(new Uint8Array(await answer.arrayBuffer()))) {
      const event = JSON.parse(body.toString()) as CustodyEvent;
      events += 1;
      if (event.policy_document !== undefined && replaced.has(event.policy_document.type)) continue;
      const engine = engineOf(partition, appendTimeMs);
      inRange.event(event, appendTimeMs);
      shared.enter(partition, engine, appendTimeMs);
      for (const alert of engine.process({ event, appendTimeMs }))
        if (
          Number(alert.time_unix_nano.slice(0, -6)) >= range.fromMs &&
          (range.tenant ?? alert.tenant) === alert.tenant
        ) {
          alerts.push(alert);
          inRange.alert(alert);
        }
    }
    onProgress(events, total);
  }
  return { alerts, events, scores, sessions: inRange.found, times, busyMs: performance.now() - startedMs };
}
