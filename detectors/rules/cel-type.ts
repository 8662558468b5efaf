import type { Environment } from '@marcbachmann/cel-js';

/**
 * The part of JSON Schema that describes facts, so that the variables of conditions follow the schema of the canonical
 * event by themselves. `read` says where a member comes from when it is not a property of the same name.
 */
export interface Shape {
  readonly type?: string | undefined;
  readonly properties?: Readonly<Record<string, Shape>> | undefined;
  readonly additionalProperties?: Shape | boolean | undefined;
  readonly items?: Shape | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly const?: unknown;
  /** `source` is the raw value of the object that has this member. */
  readonly read?: (source: never) => unknown;
}

/** A CEL type and how a raw value becomes one of it; `undefined`: as it is. */
interface CelType {
  readonly name: string;
  readonly wrap: ((raw: unknown) => unknown) | undefined;
}

/**
 * Declares the type and those inside it. Objects become instances of a class with a getter for each member, so that
 * only what a condition asks for is converted. Integers are CEL `int`, which JavaScript knows as BigInt.
 */
export function declareType(env: Environment, name: string, shape: Shape): CelType {
  if (shape.properties !== undefined) return declareObject(env, name, shape.properties);
  if (typeof shape.additionalProperties === 'object') {
    const value = declareType(env, `${name}_value`, shape.additionalProperties);
    const { wrap } = value;
    return {
      name: `map<string, ${value.name}>`,
      wrap: (raw) =>
        new Map(
          Object.entries(raw as object).map(([key, each]) => [key, wrap === undefined ? each : wrap(each)]),
        ),
    };
  }
  if (shape.items !== undefined) {
    const { name: item, wrap } = declareType(env, `${name}_item`, shape.items);
    return {
      name: `list<${item}>`,
      wrap: wrap === undefined ? undefined : (raw) => (raw as unknown[]).map((each) => wrap(each)),
    };
  }
  switch (shape.type ?? typeof (shape.const ?? shape.enum?.[0])) {
    case 'string':
      return { name: 'string', wrap: undefined };
    case 'boolean':
      return { name: 'bool', wrap: undefined };
    case 'integer':
      return { name: 'int', wrap: (raw) => BigInt(raw as number) };
    case 'number':
      return { name: 'double', wrap: undefined };
    default:
      return { name: 'dyn', wrap: undefined };
  }
}

/** Where an object keeps its raw value: no name, so that no member can have the same. */
const raw = Symbol('raw');

function declareObject(env: Environment, name: string, properties: Readonly<Record<string, Shape>>): CelType {
  class Facts {
    readonly [raw]: unknown;
    constructor(source: unknown) {
      this[raw] = source;
    }
  }
  const fields: Record<string, string> = {};
  for (const [key, shape] of Object.entries(properties)) {
    const type = declareType(env, `${name}_${key}`, shape);
    fields[key] = type.name;
    const { wrap } = type;
    Object.defineProperty(Facts.prototype, key, {
      get(this: Facts): unknown {
        const value = readMember(this[raw], key, shape);
        return value === undefined || wrap === undefined ? value : wrap(value);
      },
    });
  }
  const wrapObject = (source: unknown) => new Facts(source);
  env.registerType(name, { ctor: Facts, fields, convert: wrapObject });
  return { name, wrap: wrapObject };
}

/** The raw value of a member; `undefined` when it is absent. */
export function readMember(source: unknown, key: string, shape: Shape): unknown {
  if (shape.read !== undefined) return shape.read(source as never);
  return typeof source === 'object' && source !== null && Object.hasOwn(source, key)
    ? (source as Record<string, unknown>)[key]
    : undefined;
}
