import { configSchema, type ServerStoreConfig } from '../../../schemas/config.ts';

/** The configuration of a store on a server, with defaults. */
export function serverConfig(url: string, more: Readonly<Record<string, unknown>> = {}): ServerStoreConfig {
  const { store } = configSchema.parse({ store: { type: 'clickhouse', url, ...more } });
  if (store.type !== 'clickhouse') throw new Error('not a server');
  return store;
}
