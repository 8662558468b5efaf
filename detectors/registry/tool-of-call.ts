import type { CallFacts } from '../detector.ts';
import type { RegisteredTool, Registry } from './registry.ts';

/**
 * The registered tool of a call. Several detectors ask for every event: what was found is kept with the registry, by the hash the
 * call has anyway.
 */
export function toolOfCall(
  registry: Registry,
  { toolHash, toolKey, server, tool }: Pick<CallFacts, 'toolHash' | 'toolKey' | 'server' | 'tool'>,
): RegisteredTool | undefined {
  // Where the server was told later than the tool, the hash does not say which.
  if (server !== undefined && toolKey === tool) return registry.tool(server, tool);
  let found = known.get(registry);
  if (found === undefined) {
    found = new Map();
    known.set(registry, found);
  }
  const cached = found.get(toolHash);
  if (cached !== undefined || found.has(toolHash)) return cached;
  if (found.size >= knownMax) found.clear();
  const registered = registry.tool(server, tool);
  found.set(toolHash, registered);
  return registered;
}

const knownMax = 4096;
const known = new WeakMap<Registry, Map<number, RegisteredTool | undefined>>();
