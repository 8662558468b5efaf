import { describe, expect, test } from 'vitest';
import { configError, configFrom } from './config-file.ts';
import { verifies } from '../requirements.ts';

describe('configuration', () => {
  test('an empty file gives the defaults', () => {
    const config = configFrom('');
    expect(config.ingest.http).toMatchObject({ host: '127.0.0.1', port: 4318 });
    expect(config.data_dir).toBe('./data');
    expect(config.sinks).toHaveLength(1);
  });

  test('the environment wins over the file, with the path of the key in capitals', () => {
    const config = configFrom('ingest: { http: { port: 1111 } }', {
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
  ])('%s is an error that names its path', (_what, yaml, path) => {
    const error = configError(yaml);
    expect(error.path).toBe(path);
    expect(error.message).toContain(path);
  });

  test('a variable that names no key is an error, so that a typing mistake is not silently ignored', () => {
    expect(configError('', { CUSTODY_INGEST_HTTP_PROT: '1' }).message).toContain('CUSTODY_INGEST_HTTP_PROT');
  });

  test('YAML that does not parse names the line', () => {
    expect(configError('a: [1,\nb: 2').message).toMatch(/line \d/);
  });

  test('beyond loopback a listener needs a token and TLS', () => {
    verifies('P8');
    expect(configError('ingest: { http: { host: 0.0.0.0 } }').message).toContain('ingest.tokens');
    expect(configError('ingest: { http: { host: 0.0.0.0 }, tokens: [{ env: T }] }').path).toBe(
      'ingest.http.tls',
    );
    expect(configError('sql: { listener: { host: "::" } }').message).toContain('sql.tokens');
    const config = configFrom(
      'ingest: { http: { host: 0.0.0.0, tls: { cert_file: c, key_file: k } }, tokens: [{ env: T }] }',
    );
    expect(config.ingest.http.host).toBe('0.0.0.0');
  });

  test('beyond loopback brokers are reached over TLS, or somebody says that nobody else is there', () => {
    verifies('P8');
    const brokers = (list: string, more = '') => `log: { type: kafka, brokers: [${list}] ${more}}`;
    expect(configError(brokers('"127.0.0.1:9092", "kafka.example:9092"'))).toMatchObject({
      path: 'log.tls',
      message:
        'cannot use broker kafka.example:9092: log.brokers is not loopback, so log.tls must be set (or log.dangerously_without_tls: true on a network nobody else is on)',
    });
    for (const accepted of [
      brokers('"127.0.0.1:9092", "localhost:9092", "[::1]:9092"'),
      brokers('"kafka.example:9092"', ', tls: {} '),
      brokers('"kafka.example:9092"', ', dangerously_without_tls: true '),
    ])
      expect(configFrom(accepted).log.type).toBe('kafka');
  });
});
