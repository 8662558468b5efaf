import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../cli/load-config.ts';
import { ConfigError } from '../../runtime/errors.ts';
import { verifies } from '../requirements.ts';

const dir = await mkdtemp(join(tmpdir(), 'custody-config-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

async function load(yaml: string, env: Record<string, string> = {}) {
  const file = join(dir, 'custody.yaml');
  await writeFile(file, yaml);
  return loadConfig({ file, env });
}

async function failure(yaml: string, env: Record<string, string> = {}): Promise<ConfigError> {
  try {
    await load(yaml, env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('configuration', () => {
  test('an empty file gives the defaults', async () => {
    const config = await load('');
    expect(config.ingest.http).toMatchObject({ host: '127.0.0.1', port: 4318 });
    expect(config.data_dir).toBe('./data');
    expect(config.sinks).toHaveLength(1);
  });

  test('the environment wins over the file, with the path of the key in capitals', async () => {
    const config = await load('ingest: { http: { port: 1111 } }', {
      CUSTODY_INGEST_HTTP_PORT: '2222',
      CUSTODY_DATA_DIR: '/srv/custody',
    });
    expect(config.ingest.http.port).toBe(2222);
    expect(config.data_dir).toBe('/srv/custody');
  });

  test.each([
    ['an unknown key', 'ingest: { htpp: {} }', 'ingest.htpp'],
    ['a wrong type', 'sql: { listener: { port: high } }', 'sql.listener.port'],
    ['a value out of bounds', 'detect: { novel_chain: { threshold: 2 } }', 'detect.novel_chain.threshold'],
    ['a sink of an unknown type', 'sinks: [{ id: x, type: pigeon }]', 'sinks.0.type'],
    ['two sinks of one id', 'sinks: [{ id: x, type: ocsf_file }, { id: x, type: ocsf_file }]', 'sinks.1.id'],
  ])('%s is an error that names its path', async (_what, yaml, path) => {
    const error = await failure(yaml);
    expect(error.path).toBe(path);
    expect(error.message).toContain(path);
  });

  test('a variable that names no key is an error, so that a typing mistake is not silently ignored', async () => {
    expect((await failure('', { CUSTODY_INGEST_HTTP_PROT: '1' })).message).toContain(
      'CUSTODY_INGEST_HTTP_PROT',
    );
  });

  test('YAML that does not parse names the line', async () => {
    expect((await failure('a: [1,\nb: 2')).message).toMatch(/line \d/);
  });

  test('beyond loopback a listener needs a token and TLS', async () => {
    verifies('P8');
    expect((await failure('ingest: { http: { host: 0.0.0.0 } }')).message).toContain('ingest.tokens');
    expect((await failure('ingest: { http: { host: 0.0.0.0 }, tokens: [{ env: T }] }')).path).toBe(
      'ingest.http.tls',
    );
    expect((await failure('sql: { listener: { host: "::" } }')).message).toContain('sql.tokens');
    const config = await load(
      'ingest: { http: { host: 0.0.0.0, tls: { cert_file: c, key_file: k } }, tokens: [{ env: T }] }',
    );
    expect(config.ingest.http.host).toBe('0.0.0.0');
  });
});
