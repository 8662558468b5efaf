import type { ToolRules } from '../../schemas/registry.ts';
import { matcherOf } from './glob.ts';

type ToolMatcher = (server: string | undefined, tool: string) => boolean;

/**
 * Patterns for tools: `server/tool`, or `tool` of any server. Where nobody told the server, the part after the last slash
 * decides: it may be the one meant.
 */
export function toolMatcher(patterns: readonly string[]): ToolMatcher {
  const ofAnyServer = matcherOf(patterns.filter((pattern) => !pattern.includes('/')));
  const withServer = patterns.filter((pattern) => pattern.includes('/'));
  const ofServer = matcherOf(withServer);
  const ofUntoldServer = matcherOf(withServer.map((pattern) => pattern.slice(pattern.lastIndexOf('/') + 1)));
  return (server, tool) =>
    ofAnyServer(tool) || (server === undefined ? ofUntoldServer(tool) : ofServer(`${server}/${tool}`));
}

/** What is denied is not allowed, whatever else is said; without a list of what is allowed, the rest is. */
export function toolAccess(rules: ToolRules | undefined): ToolMatcher {
  if (rules === undefined) return () => true;
  const denies = toolMatcher(rules.deny ?? []);
  const allows = rules.allow === undefined ? () => true : toolMatcher(rules.allow);
  return (server, tool) => !denies(server, tool) && allows(server, tool);
}
