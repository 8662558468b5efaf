import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Command } from 'commander';
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from '../evidence/note/key.ts';
import { systemClock } from '../runtime/clock.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { TlsMaterial } from '../runtime/listen.ts';
import { createLogger } from '../runtime/logger.ts';
import { named, readSigningKey } from './keys.ts';
import { LOOPBACK } from '../schemas/config/loopback.ts';

interface WitnessFlags {
  readonly key: string;
  readonly log: readonly string[];
  readonly state: string;
  readonly new?: boolean;
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly dangerouslyWithoutTls?: boolean;
  readonly json?: boolean;
}

/** `custody witness`: signs checkpoints of others that only ever grow (C2SP tlog-witness), until SIGINT or SIGTERM. */
export function witnessCommand(): Command {
  return new Command('witness')
    .description('sign checkpoints of logs that only grow; to be run by somebody else than the log')
    .requiredOption('-k, --key <file>', 'signing key of use witness (custody keys new)')
    .requiredOption('-l, --log <key...>', 'public key of a log it signs for (custody keys show)')
    .requiredOption('-s, --state <dir>', 'what it has signed; must never be put back from a copy')
    .option('--new', 'make the state directory of a new witness')
    .option('--listen <host:port>', 'address', '127.0.0.1:8480')
    .option('--tls-cert <file>', 'certificate, beyond loopback')
    .option('--tls-key <file>', 'its key')
    .option('--dangerously-without-tls', 'beyond loopback behind a proxy that terminates TLS')
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      `
Examples:
  custody keys new --name witness.example/w1 --use witness --out witness.key
  custody witness --key witness.key --state signed --new --log "$(cat log.vkey)"
  custody witness --key witness.key --state signed --log "$(cat a.vkey)" --log "$(cat b.vkey)" \\
    --listen 0.0.0.0:8480 --tls-cert cert.pem --tls-key key.pem

Speaks C2SP tlog-witness: POST /add-checkpoint, for logs whose key has the name of their origin and whose checkpoints
have no extension lines. Who may ask is decided by the log's signature.`,
    )
    .action(async (flags: WitnessFlags) => {
      const { host, port } = addressOf(flags.listen);
      const tls = tlsOf(flags, host);
      const key = readSigningKey(flags.key, '--key');
      if (key.use !== 'witness')
        throw new ConfigError(`cannot use ${flags.key}: it is a key of use ${key.use}`, { path: '--key' });
      const logs = flags.log.map(logKey);
      const [{ makeWitnessState, openWitnessState }, { createWitness }] = await Promise.all([
        import('../witness/state.ts'),
        import('../witness/server.ts'),
      ]);
      const logger = createLogger({ level: 'info' });
      if (flags.new === true) await makeWitnessState(flags.state);
      const state = await openWitnessState(flags.state, key);
      for (const { name } of logs)
        logger.info({ origin: name, size: String(state.latest(name)?.size ?? 'none') }, 'signed so far');
      const witness = createWitness({ host, port, tls, key, logs, state, clock: systemClock, logger });
      try {
        await witness.start();
        const at = witness.address();
        const place = at.host.includes(':') ? `[${at.host}]` : at.host;
        const url = `${tls === undefined ? 'http' : 'https'}://${place}:${at.port}`;
        const verifier_key = formatVerifierKey(key);
        const names = logs.map(({ name }) => name);
        process.stdout.write(
          flags.json === true
            ? `${JSON.stringify({ url, verifier_key, logs: names })}\n`
            : `witness ${verifier_key}\nlistens on ${url} for ${names.join(', ')}\n`,
        );
        await new Promise<void>((resolve) => {
          process.once('SIGINT', resolve);
          process.once('SIGTERM', resolve);
        });
      } finally {
        await witness.stop();
      }
    });
}

function logKey(text: string): VerifierKey {
  const key = named('--log', () => parseVerifierKey(text.trim()));
  if (key.use === 'log') return key;
  throw new ConfigError(`cannot use --log ${key.name}: it is the key of a ${key.use}`, { path: '--log' });
}

function addressOf(listen: string): { host: string; port: number } {
  const [, host = '', digits = ''] = /^(?:\[([0-9a-fA-F:]+)\]|[^:]+):(\d{1,5})$/.exec(listen) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535)
    throw new ConfigError(`cannot listen on ${listen}: expected host:port`, { path: '--listen' });
  return { host: host === '' ? listen.slice(0, listen.lastIndexOf(':')) : host, port };
}

/** Promise P8; the log's signature is the authentication. */
function tlsOf(
  { tlsCert, tlsKey, dangerouslyWithoutTls }: WitnessFlags,
  host: string,
): TlsMaterial | undefined {
  if (tlsCert !== undefined && tlsKey !== undefined) {
    const material = { cert: readFile(tlsCert, '--tls-cert'), key: readFile(tlsKey, '--tls-key') };
    try {
      createSecureContext(material);
    } catch (cause) {
      throw new ConfigError(`cannot use ${tlsCert} and ${tlsKey}: not a certificate and its key`, {
        path: '--tls-cert',
        cause,
      });
    }
    return { ...material, clientCa: undefined };
  }
  if (tlsCert !== undefined || tlsKey !== undefined)
    throw new ConfigError('cannot use TLS: --tls-cert and --tls-key come together', { path: '--tls-key' });
  if (LOOPBACK.test(host) || dangerouslyWithoutTls === true) return undefined;
  throw new ConfigError(
    `cannot listen on ${host}: it is not loopback, so --tls-cert and --tls-key are needed (or --dangerously-without-tls behind a proxy that terminates TLS)`,
    { path: '--tls-cert' },
  );
}

function readFile(file: string, option: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new ConfigError(`cannot read ${option} ${file}: ${errno}`, { path: option, cause });
  }
}
