import { hostname } from 'node:os';
import type { Clock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { SinkConfig } from '../../../schemas/config.ts';
import type { Sink } from '../../sink.ts';
import type { SyslogEndpoint } from './connection.ts';
import { encodeSyslog, frameSyslog } from './encode.ts';
import { readEndpoint } from './endpoint.ts';
import { createSyslogSender } from './sender.ts';

export type SyslogSinkConfig = Omit<Extract<SinkConfig, { type: 'syslog' }>, 'include_shadow'>;

/**
 * Alerts as RFC 5424 messages over TCP or TLS (RFC 5425). Delivery class `transport`: syslog has no acknowledgement,
 * a resolved write means the kernel took the bytes and the connection stayed up for a moment. After a lost connection
 * the last two minutes are sent again under the same uids.
 */
export function createSyslogSink(
  config: SyslogSinkConfig,
  deps: { readonly logger: Logger; readonly clock: Clock },
): Sink {
  const format = {
    facility: config.facility,
    enterpriseNumber: config.enterprise_number,
    hostname: hostname(),
    messageMaxBytes: config.message_max_bytes,
  };
  const path = `sinks.${config.id}`;
  let endpoint: SyslogEndpoint | undefined;
  const sender = createSyslogSender({
    endpoint: () => (endpoint ??= readEndpoint(config, path)),
    clock: deps.clock,
    onResend: (frames) =>
      deps.logger.warn(
        { sink: config.id, frames },
        'syslog connection was lost; sending the latest alerts again',
      ),
  });

  return {
    name: 'sink_syslog',
    id: config.id,
    acknowledgement: 'transport',
    start() {
      endpoint = readEndpoint(config, path);
      return Promise.resolve();
    },
    stop: () => sender.close(),
    write(alerts, signal) {
      const frames = alerts.map((alert) => frameSyslog(encodeSyslog(alert, format), config.framing));
      return sender.send(frames, signal);
    },
  };
}
