import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Identity } from './certificates.ts';
import { freePort } from './free-ports.ts';
import { killed, untilListening } from './receiver-process.ts';

export interface S3Server {
  readonly url: string;
  readonly port: number;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Ends it and waits until it is gone; what it keeps stays. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops it where it is: connections open, nothing is answered. */
  freeze(): void;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

const root = process.env['CUSTODY_S3_ROOT'] ?? '/opt/custody-test/versitygw';

const binary = (): string | undefined =>
  existsSync(root)
    ? readdirSync(root)
        .map((version) => join(root, version, 'versitygw'))
        .find((path) => existsSync(path))
    : undefined;

/**
 * Why no S3 server can run here (also said on stderr), or `undefined`. With CUSTODY_TEST_INSTALL=1, and on CI, it is built
 * when it is missing.
 */
export function s3Missing(): string | undefined {
  let reason = 'versitygw not installed: run test/support/install-s3.sh as root';
  if (
    binary() === undefined &&
    (process.env['CUSTODY_TEST_INSTALL'] === '1' || process.env['CI'] !== undefined)
  ) {
    try {
      execFileSync('sh', [join(import.meta.dirname, 'install-s3.sh')], {
        stdio: 'inherit',
        timeout: 600_000,
      });
    } catch {
      reason = 'versitygw could not be built by test/support/install-s3.sh';
    }
  }
  if (binary() !== undefined) return undefined;
  // Reporters hide skipped tests of a file that passes; this line they show.
  process.stderr.write(`SKIPPED ${reason}\n`);
  return reason;
}

/** versitygw over a directory: versions, object lock and writes on condition as S3 has them. */
export async function startS3Server(tls?: Identity): Promise<S3Server> {
  const path = binary();
  if (path === undefined) throw new Error('versitygw is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'custody-s3-'));
  for (const name of ['data', 'versions']) mkdirSync(join(folder, name));
  const port = await freePort();
  const [accessKey, secretKey] = ['custody-test', 'custody-test-secret'];
  let child: ChildProcess | undefined;
  const server: S3Server = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    accessKey,
    secretKey,
    async start() {
      const started = spawn(
        path,
        [
          ...['--quiet', '--port', `127.0.0.1:${port}`],
          ...(tls === undefined ? [] : ['--cert', tls.certFile, '--key', tls.keyFile]),
          ...['posix', '--versioning-dir', join(folder, 'versions'), join(folder, 'data')],
        ],
        { stdio: 'ignore', env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey } },
      );
      child = started;
      await untilListening(port, () => (started.exitCode === null ? undefined : 'versitygw ended at once'));
    },
    freeze: () => void child?.kill('SIGSTOP'),
    async kill(signal) {
      const dying = child;
      child = undefined;
      await killed(dying, signal);
    },
    async remove() {
      await server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
