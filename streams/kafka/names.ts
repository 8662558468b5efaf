import type { PartitionOf, StateArea, TopicName } from '../topic.ts';

/** How Kafka calls what the pipeline names; everything of one deployment begins with its namespace. */
export interface Names {
  readonly topic: (name: TopicName) => string;
  readonly state: (area: StateArea) => string;
  group(group: string, name: TopicName): string;
  transactionalId(of: PartitionOf): string;
}

export function namesIn(namespace: string): Names {
  const last = (name: TopicName) => name.slice('custody.'.length);
  return {
    topic: (name) => `${namespace}.${last(name)}`,
    state: (area) => `${namespace}.${area}-state`,
    // A group reads one topic, so that a stage can go on with one while another is held up.
    group: (group, name) => `${namespace}.${group}.${last(name)}`,
    transactionalId: ({ area, topic, partition }) => `${namespace}.${area}.${last(topic)}.${partition}`,
  };
}
