import { afterAll, beforeAll } from 'vitest';
import { stateStoreContract } from '../contract/state-store.ts';
import { topicContract } from '../contract/topic.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { kafkaConfig, startKafkaLog } from './kafka-harness.ts';

let broker: FoundBroker;
beforeAll(async () => {
  broker = await findBroker();
  process.stdout.write(`Kafka suite: ${broker.description}\n`);
});
afterAll(() => broker.stop());

topicContract('Kafka', async (partitions) => {
  const harness = await startKafkaLog(kafkaConfig(broker.bootstrap, { partitions }));
  return { ...harness, topic: () => harness.log().topic('custody.events') };
});

stateStoreContract('Kafka', async () => {
  const harness = await startKafkaLog(kafkaConfig(broker.bootstrap));
  const claim = () => harness.log().claim({ area: 'ledger', topic: 'custody.events', partition: 0 });
  let held = await claim();
  return {
    state: () => held.state,
    async reopen() {
      await harness.reopen();
      held = await claim();
    },
    async close() {
      await held.release();
      await harness.close();
    },
  };
});
