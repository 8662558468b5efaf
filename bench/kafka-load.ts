import { openKafkaLog } from '../streams/kafka/open-log.ts';
import type { Log } from '../streams/topic.ts';
import { configSchema, type Config } from '../schemas/config.ts';
import { applyEnvironment } from '../cli/environment.ts';
import { recordAt, type Shape } from './tool-calls.ts';

/** The configuration that processes with this environment have. */
export function configOf(env: Readonly<Record<string, string>>): Config {
  const known = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('CUSTODY_')));
  return configSchema.parse(applyEnvironment({}, known, configSchema));
}

export async function openBenchLog(config: Config): Promise<Log> {
  if (config.log.type !== 'kafka') throw new Error('not on Kafka');
  return openKafkaLog({ config: config.log, credentials: { password: undefined } });
}

/** Appends events [0, count) to the log, several calls at a time; gives the seconds it took. */
export async function fill(log: Log, count: number, shape: Shape, callers = 4): Promise<number> {
  const topic = log.topic('custody.events');
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) {
        const from = next;
        next += 1000;
        const size = Math.min(1000, count - from);
        await topic.append(Array.from({ length: size }, (_, index) => recordAt(from + index, shape)));
      }
    }),
  );
  return (performance.now() - began) / 1000;
}
