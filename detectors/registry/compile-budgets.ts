import type { RegistryDocument } from '../../schemas/registry.ts';
import { matcherOf } from './glob.ts';
import { boundedMemo } from './bounded-memo.ts';
import type { Budget, Registry } from './registry.ts';
import { toolMatcher } from './tool-patterns.ts';

const NONE: readonly Budget[] = [];

/** Budgets that a call falls under, in the order of the document. */
export function compileBudgets(budgets: NonNullable<RegistryDocument['budgets']>): Registry['budgets'] {
  if (budgets.length === 0) return () => NONE;
  const rules = budgets.map(({ id, per, measure, window_sec, limit, agents, servers, tools }) => ({
    budget: { id, per, measure, windowMs: window_sec * 1000, limit },
    agent: agents === undefined ? undefined : matcherOf(agents),
    servers: servers === undefined ? undefined : new Set(servers),
    tool: tools === undefined ? undefined : toolMatcher(tools),
  }));
  const memo = boundedMemo<readonly Budget[]>();
  return (agent, server, tool) =>
    memo(`${agent ?? ''}\n${server ?? ''}\n${tool ?? ''}`, () =>
      rules
        .filter(
          (rule) =>
            (rule.agent === undefined || (agent !== undefined && rule.agent(agent))) &&
            (rule.servers === undefined || (server !== undefined && rule.servers.has(server))) &&
            (rule.tool === undefined || (tool !== undefined && rule.tool(server, tool))),
        )
        .map(({ budget }) => budget),
    );
}
