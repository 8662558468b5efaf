import type { ClickHouseClient } from '@clickhouse/client';
import { PermanentError, TransientError } from '../../runtime/errors.ts';
import { engineCode, storeError } from './clickhouse-error.ts';
import { formatDay } from './day.ts';
import { createServerClient, type ServerAccess } from './server-client.ts';

/**
 * The one thing that takes rows out of the store, kept apart from `Store`, which only adds them: retention has this, the
 * writer never does.
 */
export interface DayDropper {
  /**
   * Removes a whole day partition and resolves when no part of it is left; resolves at once when there is none. Days are
   * counted since the epoch. Rejects with TransientError (try again) or PermanentError (`rejected`: no right to).
   */
  dropDay(day: number): Promise<void>;
}

/** Codes of a server that does not let the user in, or not do this. */
const NOT_ALLOWED: ReadonlySet<number> = new Set([192, 193, 194, 497, 516]);

/** On a cluster the replica that is asked drops the partition and tells the others through the replication log. */
export function createDayDropper(client: ClickHouseClient): DayDropper {
  /** Asked of the parts: no policy and no filter hides one. */
  async function partsOf(day: string): Promise<string> {
    const query = `SELECT count() FROM system.parts WHERE database = 'custody' AND table = 'entries' AND partition = '${day}' AND active`;
    const answer = await client.query({ query, format: 'TabSeparated' });
    return (await answer.text()).trim();
  }
  return {
    async dropDay(day) {
      const text = formatDay(day);
      try {
        if ((await partsOf(text)) === '0') return;
        // The setting is the engine's guard against dropping much by mistake: what goes was announced and checked.
        await client.command({
          query: `ALTER TABLE custody.entries DROP PARTITION '${text}' SETTINGS max_partition_size_to_drop = 0`,
        });
        const left = await partsOf(text);
        if (left !== '0')
          throw new TransientError('unavailable', `cannot drop day ${text}: ${left} parts are still there`);
      } catch (cause) {
        if (!NOT_ALLOWED.has(engineCode(cause) ?? 0)) throw storeError(`drop day ${text}`, cause);
        throw new PermanentError(
          'rejected',
          `cannot drop day ${text}: the server does not let the retention user do it (check retention.username and retention.password, VALID UNTIL, and the role custody_retention_role)`,
          { cause },
        );
      }
    },
  };
}

/** On a server as a user of its own: the writer has no right to remove anything. */
export function openServerDropper(
  access: ServerAccess,
  username: string,
): DayDropper & { close(): Promise<void> } {
  const client = createServerClient({ ...access, config: { ...access.config, username } });
  return { ...createDayDropper(client), close: () => client.close() };
}
