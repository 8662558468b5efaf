import { expect, it } from 'vitest';
import { refuseImpossibleRoles, ROLES, type Role } from '../../pipeline/roles.ts';
import { configSchema } from '../../schemas/config.ts';

const kafka = { type: 'kafka', brokers: ['127.0.0.1:9092'] };
const clickhouse = { type: 'clickhouse', url: 'http://127.0.0.1:8123' };
const fleet = { log: kafka, store: clickhouse, deployment: 'd', digest_key: { env: 'KEY' } };
const refusal = (config: object, ...roles: readonly Role[]): unknown => {
  try {
    refuseImpossibleRoles(configSchema.parse(config), new Set(roles.length === 0 ? ROLES : roles));
    return undefined;
  } catch (error) {
    return (error as { path?: string }).path;
  }
};

it.each([
  ['a single role on an embedded log', {}, ['detect'], 'log.type'],
  ['Kafka without a deployment id', { ...fleet, deployment: undefined }, ['detect'], 'deployment'],
  [
    'collectors of a fleet without a digest key',
    { ...fleet, digest_key: undefined },
    ['collector'],
    'digest_key',
  ],
  ['a ledger role on an embedded store', { ...fleet, store: { type: 'embedded' } }, ['ledger'], 'store.type'],
  ['a notary role on an embedded store', { ...fleet, store: { type: 'embedded' } }, ['notary'], 'store.type'],
] as const)('refuses %s, naming the key', (_what, config, roles, path) => {
  expect(refusal(config, ...roles)).toBe(path);
});

it.each([
  ['everything embedded', {}, []],
  [
    'everything in one process on Kafka with an embedded store',
    { ...fleet, store: { type: 'embedded' } },
    [],
  ],
  [
    'workers that need neither store nor digest key',
    { ...fleet, store: { type: 'embedded' }, digest_key: undefined },
    ['detect', 'sink'],
  ],
  ['each role of a fleet', fleet, ['collector', 'ledger', 'notary']],
] as const)('allows %s', (_what, config, roles) => {
  expect(refusal(config, ...roles)).toBeUndefined();
});
