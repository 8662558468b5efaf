import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const cacheRoot = fileURLToPath(new URL('../../../node_modules/.cache/', import.meta.url));
const oldestJava = 17;
const downloadTimeoutMs = 300_000;

export interface KafkaJars {
  readonly version: string;
  readonly java: string;
  /** What `java -cp` takes. */
  readonly classpath: string;
}

/** Apache Kafka's jars as pom.xml names them; downloaded with Maven the first time, then from node_modules/.cache. */
export async function kafkaJars(): Promise<KafkaJars> {
  const java = await findJava();
  const version = /<kafka\.version>([^<]+)</.exec(await readFile(pom, 'utf8'))?.[1];
  if (version === undefined) throw new Error('cannot read the Kafka version: pom.xml has no kafka.version');
  const folder = join(cacheRoot, `custody-kafka-${version}`);
  if (!existsSync(folder)) await withLock(`${folder}.lock`, () => download(folder));
  return { version, java, classpath: join(folder, '*') };
}

async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  const java = home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
  const { stderr } = await run(java, ['-version']).catch((cause: unknown) => {
    throw new Error(`cannot start Kafka: ${java} does not run; install Java ${oldestJava} or newer`, {
      cause,
    });
  });
  const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (major < oldestJava) {
    throw new Error(`cannot start Kafka: ${java} is version ${major}, Kafka needs ${oldestJava} or newer`);
  }
  return java;
}

/** A reader never sees half of the jars: they are collected elsewhere and renamed into place. */
async function download(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  const partial = await mkdtemp(`${folder}.partial-`);
  const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  try {
    await run('mvn', [...args, `-DoutputDirectory=${partial}`], { timeout: downloadTimeoutMs });
    await rename(partial, folder);
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'mvn is not installed' : 'mvn failed';
    throw new Error(`cannot download Kafka's jars: ${reason}`, { cause });
  }
}

/** One process at a time; a lock whose owner is gone is taken over. */
async function withLock(file: string, work: () => Promise<void>): Promise<void> {
  await mkdir(cacheRoot, { recursive: true });
  const deadlineMs = Date.now() + downloadTimeoutMs;
  while (!(await takeLock(file))) {
    const owner = Number(await readFile(file, 'utf8').catch(() => ''));
    if (owner > 0 && !isAlive(owner)) await rm(file, { force: true });
    if (Date.now() > deadlineMs) throw new Error(`cannot download Kafka's jars: ${file} stays locked`);
    await pause(100);
  }
  try {
    await work();
  } finally {
    await rm(file, { force: true });
  }
}

const takeLock = (file: string): Promise<boolean> =>
  writeFile(file, String(process.pid), { flag: 'wx' }).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    },
  );

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
