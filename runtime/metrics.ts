import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * The product's own metrics, one object made at start and handed down. Names are `custody_<stage>_<noun>_<unit>`;
 * label values come from closed sets, never from payloads. Every drop anywhere is counted in `dropped`.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter<L>({ name, help, labelNames: [...labelNames], registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge<L>({ name, help, labelNames: [...labelNames], registers });
  return {
    registry,
    received: counter('custody_collector_records_total', 'Records accepted and durable', [
      'collector',
      'signal',
    ]),
    refused: counter('custody_collector_refused_total', 'Requests or records refused, by reason', [
      'collector',
      'code',
    ]),
    malformed: counter('custody_collector_malformed_total', 'Unusable records kept as malformed entries', [
      'collector',
    ]),
    subjectKeys: counter('custody_subject_keys_total', 'Subject keys made, or found damaged', ['outcome']),
    alarms: gauge('custody_alarms', '1 while a human must act; /readyz and custody status say why', [
      'component',
      'code',
    ]),
    dropped: counter('custody_dropped_total', 'Items given up on; the only way anything is lost', [
      'stage',
      'reason',
    ]),
    appended: counter('custody_topic_appended_total', 'Records made durable in a topic', ['topic']),
    lag: gauge('custody_topic_lag_records', 'Records a consumer group has still to handle', [
      'topic',
      'group',
    ]),
    rebalances: counter('custody_topic_rebalances_total', 'Times the partitions of a group were given out', [
      'topic',
      'group',
    ]),
    detected: counter('custody_detect_events_total', 'Events the detectors have seen', []),
    alerts: counter('custody_detect_alerts_total', 'Alerts raised', ['detector', 'severity']),
    sharedIncomplete: counter(
      'custody_detect_shared_incomplete_total',
      'Epochs of shared statistics taken up without partitions that were behind',
      [],
    ),
    detectState: gauge('custody_detect_state_entries', 'Keys held in detector state', ['kind']),
    ledgerEntries: counter('custody_ledger_entries_total', 'Entries written and read back', ['kind']),
    ledgerInsertSeconds: new Histogram({
      name: 'custody_ledger_insert_seconds',
      help: 'Time of one insert with its read-back',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    sinkDelivered: counter('custody_sink_delivered_total', 'Alerts a sink acknowledged', ['sink']),
    sinkRetries: counter('custody_sink_retries_total', 'Delivery attempts that failed and will be repeated', [
      'sink',
      'code',
    ]),
    sinkWithheld: counter(
      'custody_sink_withheld_total',
      'Alerts in the ledger that a sink is not sent: of a rule on trial (shadow), or silenced (suppressed)',
      ['sink', 'mode'],
    ),
    sinkPaused: gauge('custody_sink_paused', '1 while a sink refuses alerts until somebody acts', ['sink']),
    sinkDeadLetters: counter('custody_sink_dead_letters_total', 'Alerts a sink can never take', ['sink']),
    checkpointSize: gauge('custody_notary_signed_entries', 'Entries of the anchor log that are signed', []),
    checkpointTime: gauge('custody_notary_signed_timestamp_seconds', 'When the notary signed last', []),
    anchoredSize: gauge('custody_notary_anchored_entries', 'Entries of the anchor log an anchor holds', [
      'anchor',
    ]),
    verifyRuns: counter('custody_verify_runs_total', 'Verifications of the store by schedule', [
      'scope',
      'verdict',
    ]),
    verifiedEntries: gauge(
      'custody_verify_entries',
      'Entries that the last whole verification read and found right; 0 after one that did not',
      [],
    ),
    verifiedSize: gauge(
      'custody_verify_signed_entries',
      'Entries of the anchor log that the last valid whole verification reached',
      [],
    ),
    verifiedTime: gauge(
      'custody_verify_timestamp_seconds',
      'When the last valid verification ended, by scope',
      ['scope'],
    ),
    sqlQueries: counter('custody_sql_queries_total', 'Queries on the read-only SQL endpoint', ['outcome']),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
