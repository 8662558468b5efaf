/** An object of JSON whose members nobody has checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** True for an object of JSON; arrays and null are none. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
