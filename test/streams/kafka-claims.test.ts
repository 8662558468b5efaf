import { afterAll, beforeAll } from 'vitest';
import { claimContract } from '../contract/claim.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { startLog } from './embedded-harness.ts';
import { kafkaConfig, startKafkaLog } from './kafka-harness.ts';

let broker: FoundBroker;
beforeAll(async () => {
  broker = await findBroker();
});
afterAll(() => broker.stop());

claimContract('Kafka', async () => {
  const config = kafkaConfig(broker.bootstrap, { partitions: 3 });
  const one = await startKafkaLog(config);
  const two = await startKafkaLog(config);
  return {
    one: one.log(),
    two: two.log(),
    close: () => Promise.all([one.close(), two.close()]).then(() => undefined),
  };
});

claimContract('the embedded log', async () => {
  const harness = await startLog({ partitions: 3 });
  const log = harness.log();
  return { one: log, two: log, close: () => harness.close() };
});
