import type { ClickHouseClient } from '@clickhouse/client';
import { migrateStore } from '../../../sinks/store/migrate.ts';
import { createServerClient, type ServerAccess } from '../../../sinks/store/server-client.ts';
import { openServerStore } from '../../../sinks/store/server-store.ts';
import type { StoreEngine, StoreHarness } from '../../contract/store.ts';
import { serverConfig } from '../../support/clickhouse/server-config.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse/start-clickhouse.ts';
import { rowsOf } from './ledger-harness.ts';

/** How a test reaches a server. */
export function accessTo(
  { url, username, password }: TestClickHouse,
  more: Readonly<Record<string, unknown>> = {},
): ServerAccess {
  return { config: serverConfig(url, { username, ...more }), password };
}

/** Runs something with a client of the server's owner. */
export async function asOwner<T>(
  server: TestClickHouse,
  action: (client: ClickHouseClient) => Promise<T>,
): Promise<T> {
  const client = createServerClient(accessTo(server));
  return action(client).finally(() => client.close());
}

/** Drops the ledger of a test server and makes an empty one. */
export async function emptyLedger(server: TestClickHouse): Promise<void> {
  await asOwner(server, async (client) => {
    await client.command({ query: 'DROP DATABASE IF EXISTS custody SYNC' });
    await migrateStore(client);
  });
}

/** An empty store on a server. */
export async function openServerHarness(
  server: TestClickHouse,
  more: Readonly<Record<string, unknown>> = {},
): Promise<StoreHarness> {
  await emptyLedger(server);
  let store = await openServerStore(accessTo(server, more));
  return {
    store: () => store,
    rows: (select) => rowsOf(store, select),
    command: (query) => asOwner(server, (client) => client.command({ query }).then(() => undefined)),
    async reopen(between) {
      await store.close();
      await server.kill();
      await between?.();
      await server.restart();
      store = await openServerStore(accessTo(server, more));
    },
    close: () => store.close(),
  };
}

/** The server there is, for the contract. */
export async function startServerEngine(): Promise<StoreEngine> {
  const server = await startClickHouse();
  return { open: () => openServerHarness(server), ours: !server.real, stop: () => server.stop() };
}
