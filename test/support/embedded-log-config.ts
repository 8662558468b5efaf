import { configSchema, type LogConfig } from '../../schemas/config.ts';

/** What an embedded log is opened with when nobody configures anything. */
export function embeddedLogConfig(): LogConfig {
  const { log } = configSchema.parse({});
  if (log.type !== 'embedded') throw new Error('the default log is not embedded');
  return log;
}
