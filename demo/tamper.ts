import { Session } from 'chdb';

export interface Tampering {
  readonly statement: string;
  readonly log: string;
  readonly seq: string;
}

/** What somebody with access to the disk would do: open the store and rewrite one body, with the engine's own means. */
export async function tamperWithOneRow(storePath: string): Promise<Tampering> {
  const session = new Session(storePath);
  try {
    const target = await session.queryAsync(
      `SELECT log, toString(seq) AS seq FROM custody.entries WHERE topic = 'custody.events' AND tool_name = 'http_post' ORDER BY seq LIMIT 1`,
      { format: 'JSONEachRow' },
    );
    const { log, seq } = JSON.parse(target.text()) as { log: string; seq: string };
    const statement = `ALTER TABLE custody.entries UPDATE body = replaceOne(body, 'http_post', 'read_file') WHERE log = '${log}' AND seq = ${seq}`;
    await session.queryAsync(`${statement} SETTINGS mutations_sync = 2`);
    return { statement, log, seq };
  } finally {
    session.close();
  }
}
