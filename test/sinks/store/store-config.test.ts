import { describe, expect, test } from 'vitest';
import { configError, configFrom } from '../../cli/config-file.ts';
import { verifies } from '../../requirements.ts';

const storeFrom = (yaml: string, env: Record<string, string> = {}) => configFrom(yaml, env).store;
const server = (more: string) =>
  `store: { type: clickhouse, url: "https://db.example:8443", password: { env: P }, ${more} }`;

describe('the store section', () => {
  test('is the embedded store when nothing is said', () => {
    expect(storeFrom('')).toEqual({ type: 'embedded' });
    expect(storeFrom('store: { type: embedded }')).toEqual({ type: 'embedded' });
  });

  test('names a server, with defaults', () => {
    expect(storeFrom(server(''))).toEqual({
      type: 'clickhouse',
      url: 'https://db.example:8443',
      username: 'custody_writer',
      password: { env: 'P' },
      request_timeout_ms: 60_000,
      migrate_on_start: false,
      dangerously_without_tls: false,
    });
  });

  test('can come from the environment alone, the secret staying a reference', () => {
    const store = storeFrom('', {
      CUSTODY_STORE_TYPE: 'clickhouse',
      CUSTODY_STORE_URL: 'https://db.example:8443',
      CUSTODY_STORE_USERNAME: 'someone',
      CUSTODY_STORE_PASSWORD_FILE: '/run/secrets/clickhouse',
      CUSTODY_STORE_CA_FILE: '/etc/ca.pem',
      CUSTODY_STORE_CLUSTER: '"{cluster}"',
      CUSTODY_STORE_INSERT_QUORUM: '3',
      CUSTODY_STORE_REQUEST_TIMEOUT_MS: '5000',
      CUSTODY_STORE_MIGRATE_ON_START: 'true',
      CUSTODY_TEST_CLICKHOUSE: 'http://is-no-key:1',
    });
    expect(store).toMatchObject({
      type: 'clickhouse',
      username: 'someone',
      password: { file: '/run/secrets/clickhouse' },
      ca_file: '/etc/ca.pem',
      cluster: '{cluster}',
      insert_quorum: 3,
      request_timeout_ms: 5000,
      migrate_on_start: true,
    });
  });

  test.each([
    ['an unknown type', 'store: { type: postgres }', 'store.type'],
    ['a key of the other type', 'store: { type: embedded, url: "http://127.0.0.1:1" }', 'store.url'],
    ['an unknown key', server('uri: x'), 'store.uri'],
    ['no URL', 'store: { type: clickhouse }', 'store.url'],
    ['a URL of another protocol', 'store: { type: clickhouse, url: "tcp://db:9000" }', 'store.url'],
    ['a URL with credentials', 'store: { type: clickhouse, url: "https://u:p@db:8443" }', 'store.url'],
    ['a URL with settings', 'store: { type: clickhouse, url: "https://db:8443/?final=1" }', 'store.url'],
    ['a URL with a database', 'store: { type: clickhouse, url: "https://db:8443/other" }', 'store.url'],
    ['a quorum without a cluster', server('insert_quorum: auto'), 'store.insert_quorum'],
    ['a quorum of one', server('cluster: c, insert_quorum: 1'), 'store.insert_quorum'],
    ['a cluster name that is SQL', server(`cluster: "c' SYNC"`), 'store.cluster'],
    ['a certificate without its key', server('cert_file: c.pem'), 'store.key_file'],
  ])('%s is an error that names its path', (_what, yaml, path) => {
    verifies('P10');
    const error = configError(yaml);
    expect(error.path).toBe(path);
    expect(error.message).toContain(path);
    expect(error.message).not.toContain('u:p@');
  });

  test('a variable of the environment without the type names what is missing', () => {
    expect(configError('', { CUSTODY_STORE_URL: 'https://db.example:8443' }).path).toMatch(/^store/);
  });

  test('beyond loopback there is a password and TLS, or somebody says that there is none', () => {
    verifies('P8');
    const plain = 'store: { type: clickhouse, url: "http://10.0.0.5:8123", password: { env: P }';
    expect(configError('store: { type: clickhouse, url: "https://db.example:8443" }').path).toBe(
      'store.password',
    );
    const error = configError(`${plain} }`);
    expect(error.path).toBe('store.url');
    expect(error.message).toContain('store.dangerously_without_tls: true');
    expect(storeFrom(`${plain}, dangerously_without_tls: true }`)).toMatchObject({
      dangerously_without_tls: true,
    });
    for (const url of ['http://127.0.0.1:8123', 'http://localhost:8123', 'http://[::1]:8123']) {
      expect(storeFrom(`store: { type: clickhouse, url: "${url}" }`)).toMatchObject({ url });
    }
  });
});
