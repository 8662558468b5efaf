import { MovedError } from '../../runtime/errors.ts';
import type { Claim, PartitionOf, StateStore, Topic, TopicName } from '../topic.ts';

/** Claims of the one process that has the log: a later claim to a partition ends the earlier one. */
export function embeddedClaims(state: StateStore, topicOf: (name: TopicName) => Topic) {
  const owners = new Map<string, symbol>();

  return function claim({ area, topic, partition }: PartitionOf): Promise<Claim> {
    const place = `${area} ${topic}/${partition}`;
    const own = Symbol(place);
    owners.set(place, own);
    const refuseLost = () => {
      if (owners.get(place) !== own) throw new MovedError(`cannot write for ${place}: it was claimed again`);
    };
    return Promise.resolve({
      state: {
        entries: (prefix) => state.entries(prefix),
        read: (name) => state.read(name),
        async write(changes) {
          refuseLost();
          await state.write(changes);
        },
      },
      async share(changes) {
        refuseLost();
        await state.write(changes);
      },
      async append(name, records) {
        refuseLost();
        await topicOf(name).append(records);
      },
      isHeld: () => Promise.resolve(owners.get(place) === own),
      release() {
        if (owners.get(place) === own) owners.delete(place);
        return Promise.resolve();
      },
    });
  };
}
