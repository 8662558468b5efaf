import { stateStoreContract } from '../contract/state-store.ts';
import { topicContract } from '../contract/topic.ts';
import { startLog } from './embedded-harness.ts';

topicContract('the embedded log', async (partitions) => {
  const harness = await startLog({ partitions });
  return { ...harness, topic: () => harness.log().topic('custody.events') };
});

stateStoreContract('the embedded log', async () => {
  const harness = await startLog();
  return { ...harness, state: () => harness.log().state };
});
