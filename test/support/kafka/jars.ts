import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { archiveClasses } from './class-archive.ts';

const run = promisify(execFile);
const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const cacheRoot = fileURLToPath(new URL('../../../node_modules/.cache/', import.meta.url));
const log4j = fileURLToPath(new URL('log4j2.properties', import.meta.url));
/** Tests start often and run briefly: the first compiler only, and no concurrent collector. */
const javaOptions = ['-Xmx384m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const oldestJava = 17;
const downloadTimeoutMs = 300_000;

export interface KafkaJars {
  readonly version: string;
  /** What starts Java with Kafka's classes; a main class and its arguments follow. */
  readonly command: readonly string[];
}

/** Apache Kafka's jars as pom.xml names them; downloaded with Maven the first time, then from node_modules/.cache. */
export async function kafkaJars(): Promise<KafkaJars> {
  const java = await findJava();
  const version = /<kafka\.version>([^<]+)</.exec(await readFile(pom, 'utf8'))?.[1];
  if (version === undefined) throw new Error('cannot read the Kafka version: pom.xml has no kafka.version');
  const folder = join(cacheRoot, `custody-kafka-${version}`);
  const archive = `${folder}-java-${java.version}.jsa`;
  const options = [...javaOptions, `-Dlog4j2.configurationFile=${log4j}`, '-cp', join(folder, '*')];
  if (!existsSync(archive)) {
    await withLock(`${folder}.lock`, async () => {
      await download(folder);
      if (!existsSync(archive)) await archiveClasses([java.path, ...options], archive);
    });
  }
  return { version, command: [java.path, `-XX:SharedArchiveFile=${archive}`, ...options] };
}

async function findJava(): Promise<{ readonly path: string; readonly version: string }> {
  const home = process.env['JAVA_HOME'];
  const path = home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
  const { stderr } = await run(path, ['-version']).catch((cause: unknown) => {
    throw new Error(`cannot start Kafka: ${path} does not run; install Java ${oldestJava} or newer`, {
      cause,
    });
  });
  const version = /version "([\w.+-]+)"/.exec(stderr)?.[1] ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= oldestJava)) {
    throw new Error(`cannot start Kafka: ${path} is version ${version}, Kafka needs ${oldestJava} or newer`);
  }
  return { path, version };
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
