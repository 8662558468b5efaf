/** The object without its undefined members, in the order given; undefined if nothing is left. */
export function compact<T extends object>(draft: {
  readonly [K in keyof T]-?: T[K] | undefined;
}): T | undefined {
  const members: Readonly<Record<string, unknown>> = draft;
  let out: Record<string, unknown> | undefined;
  for (const key in members) {
    const member = members[key];
    if (member !== undefined) (out ??= {})[key] = member;
  }
  return out as T | undefined;
}
