import { join } from 'node:path';
import { ConfigError } from '../../../runtime/errors.ts';
import type { SinkConfig } from '../../../schemas/config.ts';
import type { Sink } from '../../sink.ts';
import { encodeOcsf } from '../ocsf/encode.ts';
import { openLineFile, type LineFile } from './line-file.ts';

export type OcsfFileSinkConfig = Omit<Extract<SinkConfig, { type: 'ocsf_file' }>, 'include_shadow'>;

/** File tailers cut or refuse very long lines; an ordinary alert takes 2–4 KiB. */
const LINE_MAX_BYTES = 64 * 1024;

/** Alerts as OCSF, one line of JSON each, in a file of mode 0600. Acknowledged when the lines are on disk. */
export function createOcsfFileSink(config: OcsfFileSinkConfig, deps: { readonly dataDir: string }): Sink {
  const path = config.path ?? join(deps.dataDir, 'alerts', `${config.id}.ocsf.ndjson`);
  let file: LineFile | undefined;
  const opened = async () =>
    (file ??= await openLineFile({ path, fsync: config.fsync, lineMaxBytes: LINE_MAX_BYTES }));
  return {
    name: 'sink_ocsf_file',
    id: config.id,
    acknowledgement: 'receiver',
    async start() {
      try {
        await opened();
      } catch (cause) {
        if (cause instanceof ConfigError) throw cause;
        const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
        throw new ConfigError(`cannot open ${path}: ${reason}`, { path: `sinks.${config.id}.path`, cause });
      }
    },
    async stop() {
      const closing = file;
      file = undefined;
      await closing?.close();
    },
    async write(alerts) {
      const lines = alerts.map((alert) => `${encodeOcsf(alert, LINE_MAX_BYTES - 1)}\n`).join('');
      await (await opened()).append(Buffer.from(lines));
    },
  };
}
