import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openServerDropper } from '../../sinks/store/drop-day.ts';
import { openServerStore, type ServerStore } from '../../sinks/store/server-store.ts';
import { sealed, START_MS } from '../sinks/store/ledger-harness.ts';
import { accessTo, asOwner, emptyLedger } from '../sinks/store/server-harness.ts';
import { byDay } from '../../sinks/store/by-day.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse/start-clickhouse.ts';

let server: TestClickHouse;
let store: ServerStore;
beforeAll(async () => {
  server = await startClickHouse();
  await emptyLedger(server);
  store = await openServerStore(accessTo(server));
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const DAY_MS = 86_400_000;
const days = () =>
  asOwner(server, async (client) => {
    const query = 'SELECT toUInt16(day), count() FROM custody.entries GROUP BY day ORDER BY day';
    return (await (await client.query({ query, format: 'TabSeparated' })).text()).trim().split('\n');
  });

describe('days of a ledger on a server', () => {
  it('go one at a time through a connection of their own, and a day that is not there is gone already', async () => {
    const records = Array.from({ length: 6 }, (_, number) => ({
      value: sampleEvent(number),
      appendTimeMs: START_MS + Math.floor(number / 2) * DAY_MS,
    }));
    const entries = sealed(records);
    for (const day of byDay(entries)) await store.append(day);
    const [first = 0] = entries.map(({ day }) => day);
    const dropper = openServerDropper({ ...accessTo(server) }, accessTo(server).config.username);
    try {
      await dropper.dropDay(first);
      expect(await days()).toEqual([`${first + 1}\t2`, `${first + 2}\t2`]);
      await dropper.dropDay(first);
      await dropper.dropDay(first - 1000);
      expect(await days()).toHaveLength(2);
    } finally {
      await dropper.close();
    }
  });

  it('stay when the server does not answer, which may pass', async () => {
    const access = accessTo(server);
    const config = { ...access.config, url: 'http://127.0.0.1:1' };
    const dropper = openServerDropper({ ...access, config }, 'custody_retention');
    try {
      await expect(dropper.dropDay(1)).rejects.toMatchObject({ code: 'unavailable' });
    } finally {
      await dropper.close();
    }
  });
});
