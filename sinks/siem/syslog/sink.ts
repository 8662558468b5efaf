import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../../../runtime/clock.ts';
import { ConfigError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { SinkConfig } from '../../../schemas/config.ts';
import type { Sink } from '../../sink.ts';
import { openSyslogConnection, type SyslogConnection, type SyslogEndpoint } from './connection.ts';
import { encodeSyslog, frameSyslog } from './encode.ts';
import { createResendWindow } from './resend-window.ts';

export type SyslogSinkConfig = Extract<SinkConfig, { type: 'syslog' }>;

const CONNECT_TIMEOUT_MS = 10_000;
const WRITE_TIMEOUT_MS = 20_000;
/**
 * TLS 1.3 lets the client finish before the server has judged the client's certificate: connected and authorized say
 * nothing. A refusal arrives a round trip later, so the first batch waits longer for it.
 */
const FIRST_LINGER_MS = 300;
const LINGER_MS = 20;
const resendLimits = { maxAgeMs: 120_000, maxCount: 1024, maxBytes: 4 * 1024 * 1024 };

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
  const window = createResendWindow(resendLimits);
  let endpoint: SyslogEndpoint | undefined;
  let connection: SyslogConnection | undefined;
  let lingerMs = FIRST_LINGER_MS;

  const connected = async (signal: AbortSignal): Promise<SyslogConnection> => {
    if (connection?.alive === true) return connection;
    const lost = connection !== undefined;
    endpoint ??= readEndpoint(config);
    const opened = await openSyslogConnection(endpoint, CONNECT_TIMEOUT_MS, signal);
    const again = lost ? window.recent(deps.clock.nowMs()) : [];
    if (again.length > 0) {
      deps.logger.warn(
        { sink: config.id, frames: again.length },
        'syslog connection was lost; sending the latest alerts again',
      );
      await opened.send(Buffer.concat(again), FIRST_LINGER_MS, WRITE_TIMEOUT_MS, signal);
    }
    connection = opened;
    lingerMs = FIRST_LINGER_MS;
    return opened;
  };

  return {
    name: 'sink_syslog',
    id: config.id,
    acknowledgement: 'transport',
    start() {
      endpoint = readEndpoint(config);
      return Promise.resolve();
    },
    async stop() {
      await connection?.close();
    },
    async write(alerts, signal) {
      const frames = alerts.map((alert) => frameSyslog(encodeSyslog(alert, format), config.framing));
      const current = await connected(signal);
      await current.send(Buffer.concat(frames), lingerMs, WRITE_TIMEOUT_MS, signal);
      lingerMs = LINGER_MS;
      for (const frame of frames) window.add(frame, deps.clock.nowMs());
    },
  };
}

/** @throws ConfigError naming the key when a file cannot be read or the combination makes no sense. */
function readEndpoint(config: SyslogSinkConfig): SyslogEndpoint {
  const { host, port, transport } = config;
  const path = `sinks.${config.id}`;
  const tlsKeys = ['ca_file', 'cert_file', 'key_file', 'server_name'] as const;
  if (transport === 'tcp') {
    const extra = tlsKeys.find((key) => config[key] !== undefined);
    if (extra !== undefined)
      throw new ConfigError(`cannot use ${path}.${extra}: transport is tcp`, { path: `${path}.${extra}` });
    return { host, port, tls: undefined };
  }
  if ((config.cert_file === undefined) !== (config.key_file === undefined))
    throw new ConfigError(`cannot use ${path}.cert_file: cert_file and key_file belong together`, {
      path: `${path}.cert_file`,
    });
  const file = (key: 'ca_file' | 'cert_file' | 'key_file') => {
    const name = config[key];
    if (name === undefined) return undefined;
    try {
      return readFileSync(name);
    } catch (cause) {
      throw new ConfigError(`cannot read ${path}.${key}: ${name} is not readable`, {
        path: `${path}.${key}`,
        cause,
      });
    }
  };
  const [ca, cert, key] = [file('ca_file'), file('cert_file'), file('key_file')];
  try {
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    throw new ConfigError(`cannot use certificates of ${path}: not valid PEM, or the key is another one`, {
      path,
      cause,
    });
  }
  return { host, port, tls: { ca, cert, key, serverName: config.server_name } };
}
