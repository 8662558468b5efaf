import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { pathOf, textOf } from './tools.ts';

const run = promisify(execFile);

describe('make-secrets.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custody-secrets-'));
  const make = () => run('sh', [pathOf('deploy/compose/make-secrets.sh'), folder]);
  const secret = (name: string) => readFileSync(join(folder, name), 'utf8');
  const all = () => Object.fromEntries(readdirSync(folder).map((name) => [name, secret(name)]));
  beforeAll(make);
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('makes every file the compose files mount', () => {
    for (const file of ['docker-compose.yml', 'deploy/compose/embedded.yml']) {
      const { secrets } = parse(textOf(file), { merge: true }) as {
        secrets: Record<string, { file: string }>;
      };
      for (const { file: path } of Object.values(secrets)) {
        expect(readdirSync(folder)).toContain(/\/secrets\/([\w.-]+)$/.exec(path)?.[1]);
      }
    }
  });

  test('closes the directory to others, and keeps the key of the authority from containers', () => {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'ca.key')).mode & 0o777).toBe(0o400);
    expect(textOf('docker-compose.yml')).not.toContain('ca.key');
  });

  test('makes 32 random bytes in hex of each password, token and key, and no two alike', () => {
    const random = Object.entries(all()).filter(([name]) => /-(password|token|key)$/.test(name));
    expect(random.length).toBeGreaterThan(8);
    for (const [name, value] of random) expect(value, name).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(random.map(([, value]) => value)).size).toBe(random.length);
  });

  test('makes certificates of its authority for the names the services have', () => {
    const authority = new X509Certificate(secret('ca.crt'));
    const names = {
      kafka: ['kafka-1', 'kafka-2', 'kafka-3'],
      clickhouse: ['clickhouse'],
      collector: ['localhost'],
    };
    for (const [name, hosts] of Object.entries(names)) {
      const certificate = new X509Certificate(secret(`${name}.crt`));
      expect(certificate.verify(authority.publicKey), name).toBe(true);
      for (const host of hosts) expect(certificate.checkHost(host), host).toBe(host);
    }
  });

  test('gives ClickHouse the hash of its administrator, not the password', () => {
    const users = secret('clickhouse-admin.xml');
    const hash = createHash('sha256').update(secret('clickhouse-admin-password')).digest('hex');
    expect(users).toContain(`<password_sha256_hex>${hash}</password_sha256_hex>`);
    expect(users).toContain('<default remove="remove"/>');
    expect(users).not.toContain(secret('clickhouse-admin-password'));
  });

  test('follows a new password of the administrator', async () => {
    unlinkSync(join(folder, 'clickhouse-admin-password'));
    await make();
    const hash = createHash('sha256').update(secret('clickhouse-admin-password')).digest('hex');
    expect(secret('clickhouse-admin.xml')).toContain(hash);
  });

  test('run again, changes nothing; a deleted secret is made anew', async () => {
    const before = all();
    await make();
    expect(all()).toEqual(before);
    unlinkSync(join(folder, 'admin-token'));
    await make();
    const { 'admin-token': token, ...others } = all();
    expect(others).toEqual(
      Object.fromEntries(Object.entries(before).filter(([name]) => name !== 'admin-token')),
    );
    expect(token).not.toBe(before['admin-token']);
  });

  test('its passwords become users of ClickHouse, and a user without one is not made', async () => {
    const { stdout } = await run('bash', [pathOf('deploy/compose/clickhouse/roles.sh'), '--print-users'], {
      env: { ...process.env, SECRETS_DIR: folder, SOURCES_DIR: pathOf('deploy/clickhouse'), TMPDIR: folder },
    });
    for (const user of ['writer', 'notary', 'reader', 'migrator']) {
      const hash = createHash('sha256')
        .update(secret(`clickhouse-${user}-password`))
        .digest('hex');
      expect(stdout).toContain(
        `CREATE USER OR REPLACE custody_${user} IDENTIFIED WITH sha256_hash BY '${hash}'`,
      );
    }
    expect(stdout).not.toContain('custody_retention');
    expect(stdout).not.toMatch(/<[a-z]/);
    expect(textOf('docker-compose.yml')).toContain('CUSTODY_STORE_USERNAME: custody_writer');
  });
});
