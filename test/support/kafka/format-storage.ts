import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BrokerPlan } from './server-properties.ts';

const clusterId = 'MkU3OEVBNTcwNTJENDM2Qg';

export const propertiesFile = ({ folder }: BrokerPlan): string => join(folder, 'server.properties');

/** Writes a broker's `server.properties` and the empty log directory it starts from. */
export async function formatStorage(
  java: readonly string[],
  plan: BrokerPlan,
  properties: string,
  scram: readonly string[] = [],
): Promise<void> {
  const file = propertiesFile(plan);
  await mkdir(plan.folder, { recursive: true });
  await writeFile(file, properties);
  const [command = '', ...options] = java;
  const format = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', file];
  await promisify(execFile)(command, [...options, ...format, ...scram]);
}
