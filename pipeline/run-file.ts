import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive } from '../runtime/process-alive.ts';

/**
 * `run.json` in the data directory says where a running pipeline can be reached, so that `verify`, `query` and
 * `status` find it. It holds no secret.
 */
const address = z.strictObject({ host: z.string(), port: z.int(), tls: z.boolean() });

const runFileSchema = z.strictObject({
  pid: z.int().positive(),
  started_at: z.iso.datetime(),
  version: z.string(),
  deployment: z.string(),
  http: address.optional(),
  grpc: address.optional(),
  sql: address.optional(),
  admin: address.optional(),
});

export type RunFile = z.infer<typeof runFileSchema>;
export type Address = z.infer<typeof address>;

/** Where the listeners of a process are; absent when disabled. */
export type Addresses = Pick<RunFile, 'http' | 'grpc' | 'sql' | 'admin'>;

const pathOf = (dataDir: string) => join(dataDir, 'run.json');

export function writeRunFile(dataDir: string, content: RunFile): void {
  const path = pathOf(dataDir);
  writeFileSync(`${path}.new`, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRunFile(dataDir: string): void {
  rmSync(pathOf(dataDir), { force: true });
}

/** The running pipeline of a data directory, or `undefined` when none runs (a file left by a killed one counts as none). */
export function readRunFile(dataDir: string): RunFile | undefined {
  let text: string;
  try {
    text = readFileSync(pathOf(dataDir), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = runFileSchema.safeParse(parseJson(text));
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
