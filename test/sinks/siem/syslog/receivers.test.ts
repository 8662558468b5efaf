import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../runtime/clock.ts';
import { TransientError } from '../../../../runtime/errors.ts';
import { createLogger } from '../../../../runtime/logger.ts';
import { encodeSyslog } from '../../../../sinks/siem/syslog/encode.ts';
import { createSyslogSink, type SyslogSinkConfig } from '../../../../sinks/siem/syslog/sink.ts';
import type { Sink } from '../../../../sinks/sink.ts';
import { createAuthority, type CertificateAuthority, type Identity } from '../../../support/certificates.ts';
import {
  daemonMissing,
  startSyslogDaemon,
  type DaemonName,
  type SyslogDaemon,
  type SyslogDaemonOptions,
} from '../../../support/syslog-daemons.ts';
import { parseCef, shown } from '../cef/parse-cef.ts';
import { hostileAlert, hostileTexts, sampleAlert } from '../sample-alert.ts';
import { verifies } from '../../../requirements.ts';

const signal = new AbortController().signal;
const cleanups: (() => Promise<void>)[] = [];
let authority: CertificateAuthority;
let server: Identity;
let client: Identity;
beforeAll(() => {
  authority = createAuthority();
  server = authority.issue('siem.example.test', ['DNS:siem.example.test', 'IP:127.0.0.1']);
  client = authority.issue('custody.example.test', ['DNS:custody.example.test']);
});
afterAll(() => authority.remove());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function daemon(name: DaemonName, options: SyslogDaemonOptions = {}): Promise<SyslogDaemon> {
  const started = await startSyslogDaemon(name, options);
  cleanups.push(() => started.remove());
  return started;
}
async function sinkTo(port: number, overrides: Partial<SyslogSinkConfig> = {}): Promise<Sink> {
  const sink = createSyslogSink(
    {
      id: 'siem',
      type: 'syslog',
      host: '127.0.0.1',
      port,
      transport: 'tcp',
      framing: 'octet',
      facility: 13,
      enterprise_number: 32473,
      message_max_bytes: 8192,
      retry: { base_ms: 1, cap_ms: 1 },
      ...overrides,
    },
    { logger: createLogger({ level: 'silent' }), clock: systemClock },
  );
  cleanups.push(() => sink.stop());
  await sink.start();
  return sink;
}
const failure = (sink: Sink) =>
  sink.write([sampleAlert(1)], signal).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
const arrived = (at: SyslogDaemon, count: number) =>
  vi.waitFor(() => expect(at.received().length).toBeGreaterThanOrEqual(count), {
    timeout: 120_000,
    interval: 25,
  });
const uidOf = (sd: string) => /uid="([^"]*)"/.exec(sd)?.[1];
/** The message part as encoded, which the receiver must have byte for byte. */
const messageOf = (alert: Parameters<typeof encodeSyslog>[0]) => {
  const message = encodeSyslog(alert, {
    facility: 13,
    enterpriseNumber: 32473,
    hostname: 'h',
    messageMaxBytes: 65_000,
  });
  return message.slice(message.indexOf('] CEF:0|Custody|') + 2);
};

describe.each(['rsyslog', 'syslog-ng'] as const)('%s', (name) => {
  const missing = daemonMissing(name);
  const receives = it.skipIf(missing !== undefined);
  const note = missing === undefined ? '' : ` [skipped: ${missing}]`;

  receives.each(['octet', 'lf'] as const)(
    `takes hostile texts byte for byte with %s framing${note}`,
    async (framing) => {
      const at = await daemon(name, { framing });
      const sink = await sinkTo(at.port, { framing, message_max_bytes: 65_000 });
      const alerts = hostileTexts.map((text, n) =>
        sampleAlert(n, { reason: text, title: text, tool_name: text, tenant: text }),
      );
      await sink.write(alerts, signal);
      await arrived(at, alerts.length);
      const received = at.received();
      expect(received).toHaveLength(alerts.length);
      for (const [index, alert] of alerts.entries()) {
        const { msg, sd } = received[index]!;
        expect(msg.trimStart()).toBe(messageOf(alert).trimStart());
        expect(uidOf(sd)).toBe(alert.alert_id);
        expect(parseCef(msg.trimStart()).extension.get('msg')).toBe(shown(alert.reason));
      }
    },
  );

  receives(`gets exactly one message per alert for any alert${note}`, async () => {
    const at = await daemon(name, { framing: 'lf' });
    const sink = await sinkTo(at.port, { framing: 'lf', message_max_bytes: 2048 });
    const alerts = fc
      .sample(hostileAlert, 300)
      .map((alert, n) => ({ ...alert, alert_id: sampleAlert(n).alert_id }));
    await sink.write(alerts, signal);
    await arrived(at, alerts.length);
    expect(at.received().map(({ sd }) => uidOf(sd))).toEqual(alerts.map(({ alert_id }) => alert_id));
  });

  receives(`takes an alert with a megabyte name, cut, and stays in step${note}`, async () => {
    const at = await daemon(name);
    const sink = await sinkTo(at.port);
    const huge = sampleAlert(1, { tool_name: '漢'.repeat(350_000), server_name: 'x'.repeat(1_000_000) });
    await sink.write([huge, sampleAlert(2)], signal);
    await arrived(at, 2);
    const [first, second] = at.received();
    expect(parseCef(first!.msg.trimStart()).extension.get('externalId')).toBe(huge.alert_id);
    expect(first!.msg).toContain('~[cut]');
    expect(uidOf(second!.sd)).toBe(sampleAlert(2).alert_id);
  });

  receives(`takes alerts over TLS with a client certificate${note}`, async () => {
    const at = await daemon(name, {
      tls: { caFile: authority.caFile, identity: server, clientName: 'custody.example.test' },
    });
    const sink = await sinkTo(at.port, {
      transport: 'tls',
      ca_file: authority.caFile,
      cert_file: client.certFile,
      key_file: client.keyFile,
      server_name: 'siem.example.test',
    });
    await sink.write([sampleAlert(1), sampleAlert(2)], signal);
    await arrived(at, 2);
    expect(at.received().map(({ sd }) => uidOf(sd))).toEqual([
      sampleAlert(1).alert_id,
      sampleAlert(2).alert_id,
    ]);
  });

  receives(
    `never counts alerts as delivered that it refused for want of a client certificate${note}`,
    async () => {
      const at = await daemon(name, {
        tls: { caFile: authority.caFile, identity: server, clientName: 'custody.example.test' },
      });
      const rogueAuthority = createAuthority();
      cleanups.push(() => {
        rogueAuthority.remove();
        return Promise.resolve();
      });
      const rogue = rogueAuthority.issue('custody.example.test', ['DNS:custody.example.test']);
      for (const identity of [{}, { cert_file: rogue.certFile, key_file: rogue.keyFile }]) {
        const sink = await sinkTo(at.port, { transport: 'tls', ca_file: authority.caFile, ...identity });
        for (let n = 0; n < 3; n += 1) expect(await failure(sink)).toBeInstanceOf(TransientError);
      }
      expect(at.received()).toEqual([]);
    },
  );

  receives(`is not sent anything when its certificate is not the expected one${note}`, async () => {
    verifies('P8');
    const at = await daemon(name, { tls: { caFile: authority.caFile, identity: server } });
    const wrongName = await failure(
      await sinkTo(at.port, {
        transport: 'tls',
        ca_file: authority.caFile,
        server_name: 'other.example.test',
      }),
    );
    expect(wrongName).toMatchObject({
      name: 'SinkPausedError',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') as string,
    });
    const unknown = await failure(await sinkTo(at.port, { transport: 'tls' }));
    expect(unknown).toMatchObject({ name: 'SinkPausedError' });
    expect(at.received()).toEqual([]);
  });

  receives(
    `gets every alert at least once although it is killed with unread alerts in its buffers${note}`,
    async () => {
      verifies('P6');
      const at = await daemon(name);
      const sink = await sinkTo(at.port);
      const alerts = Array.from({ length: 600 }, (_, n) => sampleAlert(n));
      let restarted: Promise<void> | undefined;
      for (let from = 0; from < alerts.length; from += 20) {
        // The runner's part: the same batch again until it is taken.
        for (;;) {
          try {
            await sink.write(alerts.slice(from, from + 20), signal);
            break;
          } catch (error) {
            expect(error).toBeInstanceOf(TransientError);
            await restarted;
          }
        }
        // Three batches go into the buffers of a receiver that will never read them.
        if (from === 300) at.freeze();
        if (from === 360) restarted = at.kill('SIGKILL').then(() => at.start());
      }
      await restarted;
      const wanted = new Set(alerts.map(({ alert_id }) => alert_id));
      await vi.waitFor(() => expect(new Set(at.received().map(({ sd }) => uidOf(sd)))).toEqual(wanted), {
        timeout: 120_000,
        interval: 50,
      });
    },
  );
});
