import { execFileSync } from 'node:child_process';

const runs = (command: string, ...args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 60_000 });
    return true;
  } catch {
    return false;
  }
};

/** Why no Apache Kafka can run for the tests on this machine; `undefined` when one can. */
export function whyNoKafka(): string | undefined {
  if ((process.env['CUSTODY_TEST_KAFKA'] ?? '') !== '') return undefined;
  if (runs('docker', 'info')) return undefined;
  const java = process.env['JAVA_HOME'] === undefined ? 'java' : `${process.env['JAVA_HOME']}/bin/java`;
  const missing = [
    ...(runs(java, '-version') ? [] : ['Java 17']),
    ...(runs('mvn', '-version') ? [] : ['Maven']),
  ];
  if (missing.length === 0) return undefined;
  return `no CUSTODY_TEST_KAFKA, no Docker engine, and no ${missing.join(' or ')} to run Kafka from its jars`;
}
