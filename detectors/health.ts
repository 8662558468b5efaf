import type { DetectConfig } from '../schemas/config.ts';
import { judgeReport, type Component } from './health-reports.ts';
import { judgeLatency, learnLatency, type Latencies, type LatencySession } from './health-latency.ts';
import { judgeSilence, newSilence, noteTraffic, type Silence } from './counters/silence.ts';
import { describeSilence } from './health-words.ts';
import type { Detector } from './detector.ts';

interface HealthTenant {
  readonly servers: Silence;
  readonly components: Map<string, Component>;
  readonly latencies: Latencies;
}

/**
 * Servers and what is behind them do not work as usual: silent, slow, failing, or falling behind. How often a server is called is
 * a rate of the traffic, kept as it comes; how fast it answers is learned at the close of good sessions.
 */
export function health(config: DetectConfig['health']): Detector<HealthTenant, LatencySession> {
  const limits = {
    perDay: config.silent_calls_day,
    ratio: config.silent_ratio,
    leastMs: config.silent_min_ms,
  };
  return {
    id: 'health',
    version: 1,
    newTenantState: () => ({ servers: newSilence(), components: new Map(), latencies: new Map() }),
    newSessionState: () => ({ samples: [] }),

    step(detected, { tenant, session }, raise) {
      const { event, call, fresh, timeMs } = detected;
      judgeReport(config, detected, tenant.components, raise);
      if (event.kind !== 'tool_call') return;
      if (call !== undefined && event.phase !== 'request')
        judgeLatency(config, detected, call, tenant.latencies, session, raise);
      const server = call?.server ?? event.server?.name;
      if (!fresh.call || server === undefined) return;
      noteTraffic(tenant.servers, server, timeMs, event.event_id);
      for (const silent of judgeSilence(tenant.servers, timeMs, limits)) raise(describeSilence(silent));
    },

    learn({ tenant, session }) {
      learnLatency(tenant.latencies, session);
    },
  };
}
