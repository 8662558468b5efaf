import type { Shape } from '../cel-type.ts';
import { eventVariables } from '../facts.ts';
import { SigmaError } from './sigma-error.ts';
import { celString } from './sigma-error.ts';

/** A field of a Sigma rule as CEL. */
export interface SigmaField {
  readonly cel: string;
  /** True in CEL when the field is there. */
  readonly present: string;
  /** `list`: any element; `keys`: the names of a map. */
  readonly type: 'string' | 'number' | 'bool' | 'list' | 'keys' | 'any';
}

/**
 * Names that MCP rules use for members of the canonical event, as docs/operations/writing-rules.md lists them. Besides these every
 * member can be named by its path (`tool.name`), and an attribute as `attributes.<name>`.
 */
export const fieldAliases: Readonly<Record<string, string>> = {
  tool: 'event.tool.name',
  tool_name: 'event.tool.name',
  'gen_ai.tool.name': 'event.tool.name',
  action: 'call.action',
  tool_action: 'call.action',
  server: 'event.server.name',
  server_name: 'event.server.name',
  server_version: 'event.server.version',
  server_address: 'event.server.address',
  'server.address': 'event.server.address',
  client: 'event.client.name',
  client_name: 'event.client.name',
  client_version: 'event.client.version',
  agent: 'event.actor.id',
  agent_id: 'event.actor.id',
  actor: 'event.actor.id',
  actor_id: 'event.actor.id',
  actor_type: 'event.actor.type',
  user: 'event.actor.user_id',
  user_id: 'event.actor.user_id',
  runtime_id: 'event.actor.runtime_id',
  tenant_id: 'event.tenant',
  session_id: 'event.session.key',
  session: 'event.session.key',
  trace_id: 'event.trace.trace_id',
  method: 'event.mcp.method',
  'mcp.method.name': 'event.mcp.method',
  'mcp.session.id': 'event.mcp.session_id',
  protocol_version: 'event.mcp.protocol_version',
  transport: 'event.mcp.transport',
  arguments: 'event.arguments.summary',
  tool_arguments: 'event.arguments.summary',
  argument_keys: 'event.arguments.keys',
  argument_types: 'event.arguments.types',
  argument_bytes: 'event.arguments.size_bytes',
  argument_shapes: 'event.arguments.shapes',
  result: 'event.result.summary',
  tool_result: 'event.result.summary',
  result_category: 'event.result.category',
  status: 'event.result.category',
  result_code: 'event.result.code',
  result_bytes: 'event.result.size_bytes',
  result_shapes: 'event.result.shapes',
  result_findings: 'event.result.findings',
  destination: 'event.destinations',
  destinations: 'event.destinations',
  decision: 'event.policy.decision',
  policy_decision: 'event.policy.decision',
  policy_rule: 'event.policy.rule',
  policy_reason: 'event.policy.reason',
  ticket: 'event.policy.ticket',
  approver: 'event.policy.approver',
  scope: 'event.scope.grants',
  scopes: 'event.scope.grants',
  grants: 'event.scope.grants',
  ttl_sec: 'event.scope.ttl_sec',
  token_ttl: 'event.scope.ttl_sec',
  credential_class: 'event.scope.credential_class',
  audience: 'event.scope.audience',
  item_count: 'event.item_count',
  environment: 'event.environment',
  transition: 'event.session.transition',
  change_type: 'event.change.item_type',
  change_item: 'event.change.item',
  origin: 'event.network.origin',
  host: 'event.network.host',
  peer_address: 'event.network.peer_address',
};

/** @throws SigmaError for a field the canonical event does not have. */
export function sigmaField(name: string, path: string): SigmaField {
  if (name.startsWith('attributes.')) {
    const key = celString(name.slice('attributes.'.length));
    return {
      cel: `event.attributes[${key}]`,
      present: `(has(event.attributes) && ${key} in event.attributes)`,
      type: 'any',
    };
  }
  const cel = Object.hasOwn(fieldAliases, name) ? (fieldAliases[name] ?? '') : `event.${name}`;
  const shape = shapeAt(cel.split('.'));
  if (shape === undefined) throw new SigmaError(path, `there is no field ${name} in the canonical event`);
  const type = typeOf(shape);
  if (type === undefined)
    throw new SigmaError(path, `the field ${name} is an object; name one of its members`);
  return { cel, present: `has(${cel})`, type };
}

function shapeAt([root = '', ...members]: readonly string[]): Shape | undefined {
  let shape: Shape | undefined = Object.hasOwn(eventVariables, root) ? eventVariables[root] : undefined;
  for (const member of members) {
    const { properties } = shape ?? {};
    shape = properties !== undefined && Object.hasOwn(properties, member) ? properties[member] : undefined;
  }
  return shape;
}

function typeOf(shape: Shape): SigmaField['type'] | undefined {
  if (shape.properties !== undefined) return undefined;
  if (typeof shape.additionalProperties === 'object') return 'keys';
  if (shape.items !== undefined) return shape.items.properties === undefined ? 'list' : undefined;
  switch (shape.type ?? typeof (shape.const ?? shape.enum?.[0])) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'bool';
    default:
      return undefined;
  }
}
