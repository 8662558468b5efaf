/** The package entry: the contracts and the parts another program may build on. */
export { eventSchema, type CustodyEvent } from './schemas/event.ts';
export { alertSchema, type Alert } from './schemas/alert.ts';
export { configSchema, type Config } from './schemas/config.ts';
export type { Engine } from './detectors/engine/contract.ts';
export { createEngine } from './detectors/engine/engine.ts';
export type { DetectEvent, Detector, Finding } from './detectors/detector.ts';
export type { Batch, ConsumedRecord, StateStore, Topic, TopicRecord } from './streams/topic.ts';
export type { Sink } from './sinks/sink.ts';
export { entryPreimage, bodyHash, leafHash, type EntryPlace } from './evidence/entry.ts';
