import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { formatNote } from '../../../evidence/note/note.ts';
import { ConfigError, PermanentError, TransientError } from '../../../runtime/errors.ts';
import { anchor as anchorSchema } from '../../../schemas/config/anchors.ts';
import { createAuthority, type CertificateAuthority } from '../../support/certificates.ts';
import {
  daemonMissing,
  startSyslogDaemon,
  type SyslogDaemon,
  type SyslogDaemonOptions,
} from '../../support/syslog-daemons.ts';
import { anchorContract } from './contract.ts';
import { failure, openAnchor } from './open-anchor.ts';
import { ORIGIN, sampleLog } from './sample-log.ts';

const log = sampleLog();
const missing = daemonMissing('rsyslog');
const note = missing === undefined ? '' : ` [skipped: ${missing}]`;
let authority: CertificateAuthority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

async function daemon(options: SyslogDaemonOptions = {}): Promise<SyslogDaemon> {
  const started = await startSyslogDaemon('rsyslog', options);
  onTestFinished(() => started.remove());
  return started;
}
const open = (port: number, changes: object = {}) =>
  openAnchor({ id: 'siem', type: 'siem', host: '127.0.0.1', port, transport: 'tcp', ...changes });
const arrived = (at: SyslogDaemon, count: number) =>
  vi.waitFor(() => expect(at.received()).toHaveLength(count), { timeout: 120_000, interval: 25 });

describe.skipIf(missing !== undefined)(`a siem anchor, with rsyslog${note}`, () => {
  anchorContract(async () => {
    const { port } = await daemon();
    return { evidence: 'place', remembers: false, open: () => open(port) };
  });

  it.each(['octet', 'lf'] as const)(
    'sends size, root and key to search for, and the whole note, with %s framing',
    async (framing) => {
      const at = await daemon({ framing });
      const anchor = await open(at.port, { framing });
      await anchor.publish(log.at(5));
      await anchor.publish(log.at(9));
      await arrived(at, 2);
      const [, second] = at.received();
      const { root, note: signed } = log.at(9);
      expect(second!.sd).toBe(
        `[checkpoint@32473 origin="${ORIGIN}" size="9" root="${Buffer.from(root).toString('hex')}" key="${log.key.keyId}"]`,
      );
      expect(Buffer.from(second!.msg.trim(), 'base64').toString()).toBe(formatNote(signed));
    },
  );

  it('sends over TLS with a client certificate, and says what is wrong with another', async () => {
    const identity = authority.issue('siem', ['IP:127.0.0.1']);
    const client = authority.issue('custody', ['DNS:custody.example']);
    const at = await daemon({ tls: { caFile: authority.caFile, identity, clientName: 'custody.example' } });
    const tls = {
      transport: 'tls',
      ca_file: authority.caFile,
      cert_file: client.certFile,
      key_file: client.keyFile,
    };
    await (await open(at.port, tls)).publish(log.at(5));
    await arrived(at, 1);
    const stranger = createAuthority();
    onTestFinished(() => stranger.remove());
    const wary = await open(at.port, { ...tls, ca_file: stranger.caFile });
    expect(await failure(wary.publish(log.at(5)))).toBeInstanceOf(TransientError);
  });

  it('sends the last checkpoints again after the receiver was away', async () => {
    const at = await daemon();
    const anchor = await open(at.port);
    await anchor.publish(log.at(5));
    await arrived(at, 1);
    await at.kill('SIGKILL');
    expect(await failure(anchor.publish(log.at(6)))).toBeInstanceOf(TransientError);
    await at.start();
    await vi.waitFor(() => anchor.publish(log.at(6)), { timeout: 120_000, interval: 50 });
    await vi.waitFor(() => expect(at.received().some(({ sd }) => sd.includes('size="6"'))).toBe(true), {
      timeout: 120_000,
    });
  });
});

describe('a siem anchor', () => {
  it('does not cut a note that is too long for a message', async () => {
    const { port } = await listening();
    const anchor = await open(port, { message_max_bytes: 1024 });
    const checkpoint = log.at(5);
    const signatures = Array.from({ length: 8 }, () => checkpoint.note.signatures[0]!);
    const error = await failure(anchor.publish({ ...checkpoint, note: { ...checkpoint.note, signatures } }));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toContain('notary.anchors.siem.message_max_bytes');
  });

  it('stops waiting for a receiver that reads nothing when it is closed', async () => {
    const { port, server } = await listening();
    server.on('connection', (socket) => socket.pause());
    const anchor = await open(port, { transport: 'tls' });
    const waiting = failure(anchor.publish(log.at(5)));
    await anchor.close();
    expect(await waiting).toBeInstanceOf(TransientError);
  });

  it('needs TLS beyond loopback, and names the key that is wrong', async () => {
    const parse = (changes: object) =>
      anchorSchema.safeParse({ id: 's', type: 'siem', host: 'siem.example', transport: 'tcp', ...changes });
    expect(parse({}).error?.issues[0]).toMatchObject({ path: ['transport'] });
    expect(parse({ dangerously_without_tls: true }).success).toBe(true);
    expect(parse({ host: '127.0.0.1' }).success).toBe(true);
    expect(parse({ transport: 'tls' }).success).toBe(true);
    const error = await failure(open(1, { transport: 'tls', ca_file: '/nowhere.pem' }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.path).toBe('notary.anchors.siem.ca_file');
  });
});

async function listening(): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, server };
}
