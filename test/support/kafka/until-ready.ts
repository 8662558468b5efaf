import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { BrokerProcess } from './broker-process.ts';
import { address, type BrokerPlan } from './server-properties.ts';

const timeoutMs = 120_000;

/** Resolves when the broker answers and sees every running broker in the cluster. */
export async function untilReady(
  plan: BrokerPlan,
  process: BrokerProcess,
  running: () => readonly number[],
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (Date.now() < deadlineMs) {
    if (!process.isRunning()) {
      throw new Error(`cannot start broker ${plan.id}: it ended\n${await process.logTail()}`);
    }
    const seen = await brokersSeenBy(address(plan.internal)).catch((): readonly number[] => []);
    if (seen.includes(plan.id) && running().every((id) => seen.includes(id))) return;
    await pause(50);
  }
  throw new Error(
    `cannot start broker ${plan.id}: not ready within ${timeoutMs} ms\n${await process.logTail()}`,
  );
}

async function brokersSeenBy(broker: string): Promise<readonly number[]> {
  const kafka = new Kafka({
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    requestTimeout: 2000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId);
  } finally {
    await admin.disconnect();
  }
}
