import type { Dialect } from '../dialect.ts';

/** Langfuse SDK attributes; the observation's name is the span's. */
export const langfuse: Dialect = {
  id: 'langfuse',
  recognise: {
    attributes: ['langfuse.observation.type', 'langfuse.observation.input'],
    scopes: ['langfuse-sdk'],
  },
  fields: {
    spanKind: ['langfuse.observation.type'],
    arguments: ['langfuse.observation.input'],
    result: ['langfuse.observation.output'],
    userId: ['langfuse.user.id'],
    agentSessionId: ['langfuse.session.id'],
    environment: ['langfuse.environment'],
  },
  names: [{ name: '', match: 'prefix', toolInName: true }],
  kinds: {
    tool: 'tool_call',
    generation: 'model',
    embedding: 'model',
    guardrail: 'policy',
    agent: 'context',
    chain: 'context',
    span: 'context',
    event: 'context',
    retriever: 'context',
    evaluator: 'context',
  },
  vantage: 'agent',
};
