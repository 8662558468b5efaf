import type { Dialect } from '../dialect.ts';

/** OpenInference (Phoenix, agent frameworks): one span kind attribute tells everything. */
export const openinference: Dialect = {
  id: 'openinference',
  recognise: { attributes: ['openinference.span.kind'], scopes: ['openinference.'] },
  fields: {
    spanKind: ['openinference.span.kind'],
    toolName: ['tool_call.function.name'],
    callId: ['tool_call.id', 'message.tool_call_id'],
    inputTokens: ['llm.token_count.prompt'],
    outputTokens: ['llm.token_count.completion'],
    usd: ['llm.cost.total'],
    ignored: [
      'tool.description',
      'tool.json_schema',
      'tool.parameters',
      'gen_ai.tool.definitions',
      'gen_ai.tool.description',
    ],
  },
  localFields: {
    toolName: ['tool.name'],
    callId: ['tool.id'],
    arguments: ['input.value', 'tool_call.function.arguments'],
    result: ['output.value'],
    actorId: ['agent.name', 'graph.node.id'],
    ignored: ['input.mime_type', 'output.mime_type'],
  },
  kinds: {
    tool: 'tool_call',
    llm: 'model',
    embedding: 'model',
    guardrail: 'policy',
    agent: 'context',
    chain: 'context',
    retriever: 'context',
    reranker: 'context',
    evaluator: 'context',
  },
  vantage: 'agent',
};
