import { limits } from '../../schemas/event/limits.ts';
import type { Attributes, AttributeValue } from '../otlp/model.ts';
import { keepAttribute } from './attributes.ts';
import { asIdentity, asText, type RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';
import { readFields } from './mapping.ts';

/** Facts that hold for all records of one resource. */
export interface ResourceFacts {
  /** By the numbers in `F`; not redacted yet. */
  readonly values: ReadonlyMap<number, AttributeValue>;
  readonly service: string | undefined;
  /** Redacted: service and instance, else host. */
  readonly runtimeId: string | undefined;
  /** Redacted attributes no table knows, `resource.` before their names. */
  readonly attributes: readonly (readonly [string, string | number | boolean])[];
  readonly counts: Readonly<Record<string, number>>;
}

/** About the SDK and the process, the same in every record of a fleet: not kept. */
const NOT_KEPT = ['telemetry.', 'process.', 'os.', 'webengine.'];
const RUNTIME_NAMES = new Set(['service.name', 'service.instance.id', 'host.name']);

const known = new WeakMap<Attributes, ResourceFacts>();

/** Reads a resource once; records of one request share it by identity. */
export function resourceFacts(resource: Attributes): ResourceFacts {
  let facts = known.get(resource);
  if (facts === undefined) {
    facts = readResource(resource);
    known.set(resource, facts);
  }
  return facts;
}

function readResource(resource: Attributes): ResourceFacts {
  const counts: RedactionCounts = {};
  const read = readFields({
    name: undefined,
    scopeName: undefined,
    service: undefined,
    attributes: resource,
  });
  const values = new Map<number, AttributeValue>();
  for (const [field, value] of read.values.entries())
    // Payloads belong to records, whatever a resource claims.
    if (value !== undefined && field !== F.arguments && field !== F.result) values.set(field, value);
  const attributes = read.unknown
    .filter(([key]) => !RUNTIME_NAMES.has(key) && !NOT_KEPT.some((prefix) => key.startsWith(prefix)))
    .slice(0, limits.attributeCount)
    .map(([key, value]) => keepAttribute(`resource.${key}`, value, counts))
    .filter((kept) => kept !== undefined);
  const service = asText(resource.get('service.name'));
  const instance = asText(resource.get('service.instance.id')) ?? asText(resource.get('host.name'));
  const runtime =
    service !== undefined && instance !== undefined ? `${service}/${instance}` : (service ?? instance);
  return { values, service, runtimeId: asIdentity(runtime, counts), attributes, counts };
}
