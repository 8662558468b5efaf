import { randomBytes } from 'node:crypto';

/**
 * OTLP protobuf requests of tool-call spans, prepared once; ids and times are patched into the bytes for every send,
 * so that the generator costs next to nothing beside the pipeline it measures.
 */
const SPAN_ID_MARK = Buffer.from('c0ffee0123456789', 'hex');
const TRACE_ID_MARK = Buffer.from('feedfacedeadbeef0badcafe76543210', 'hex');
const TIME_MARK = 0x1122334455667788n;

const tools = [
  'read_file',
  'list_directory',
  'search_files',
  'write_file',
  'get_issue',
  'list_issues',
  'create_comment',
  'fetch_page',
];

export interface LoadRequest {
  /** Gives every span a new identity and the current time; the bytes are valid until the next call. */
  next(nowMs: number): Buffer;
  readonly spanCount: number;
  readonly bytesPerSpan: number;
}

/** @param spanCount spans in one request; about 12 attributes and 200 bytes of arguments each. */
export function createLoadRequest(spanCount: number, seed: number): LoadRequest {
  const spans = Array.from({ length: spanCount }, (_, index) => field(2, spanOf(index, seed)));
  const scope = field(1, field(1, text('@example/agent')));
  const resource = field(
    1,
    Buffer.concat([attribute('service.name', 'load'), attribute('deployment.environment.name', 'bench')]),
  );
  const bytes = field(1, Buffer.concat([resource, field(2, Buffer.concat([scope, ...spans]))]));
  const traceAt = positionsOf(bytes, TRACE_ID_MARK);
  const spanAt = positionsOf(bytes, SPAN_ID_MARK);
  const mark = Buffer.alloc(8);
  mark.writeBigUInt64LE(TIME_MARK);
  const timeAt = positionsOf(bytes, mark);
  return {
    spanCount,
    bytesPerSpan: Math.round(bytes.length / spanCount),
    next(nowMs) {
      const ids = randomBytes(24 * spanCount);
      traceAt.forEach((at, index) => ids.copy(bytes, at, index * 24, index * 24 + 16));
      spanAt.forEach((at, index) => ids.copy(bytes, at, index * 24 + 16, index * 24 + 24));
      const nano = BigInt(Math.trunc(nowMs)) * 1_000_000n;
      for (const at of timeAt) bytes.writeBigUInt64LE(nano, at);
      return bytes;
    },
  };
}

function spanOf(index: number, seed: number): Buffer {
  const tool = tools[(index + seed) % tools.length] ?? 'read_file';
  const session = `session-${seed}-${Math.trunc(index / 8)}`;
  const argumentsJson = JSON.stringify({
    path: `/srv/project/src/module-${index % 50}/component.ts`,
    query: 'status of the quarterly report and its open questions',
    limit: 25,
    note: 'x'.repeat(60),
  });
  return Buffer.concat([
    field(1, TRACE_ID_MARK),
    field(2, SPAN_ID_MARK),
    field(5, text(`tools/call ${tool}`)),
    varintField(6, 3),
    fixed64(7),
    fixed64(8),
    ...[
      ['mcp.method.name', 'tools/call'],
      ['gen_ai.operation.name', 'execute_tool'],
      ['gen_ai.tool.name', tool],
      ['gen_ai.tool.call.arguments', argumentsJson],
      ['gen_ai.agent.id', `agent-${seed % 20}`],
      ['gen_ai.conversation.id', session],
      ['user.id', `user-${seed % 40}`],
      ['mcp.protocol.version', '2025-11-25'],
      ['network.transport', 'pipe'],
      ['policy.decision', 'allow'],
      ['mcp.server.name', 'files'],
      ['jsonrpc.request.id', String(index)],
    ].map(([key, value]) => field(9, keyValue(key ?? '', value ?? ''))),
  ]);
}

const keyValue = (key: string, value: string) =>
  Buffer.concat([field(1, text(key)), field(2, field(1, text(value)))]);
const attribute = (key: string, value: string) => field(1, keyValue(key, value));
const text = (value: string) => Buffer.from(value);
const field = (number: number, payload: Buffer) =>
  Buffer.concat([varint((number << 3) | 2), varint(payload.length), payload]);
const varintField = (number: number, value: number) => Buffer.concat([varint(number << 3), varint(value)]);

function fixed64(number: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = (number << 3) | 1;
  bytes.writeBigUInt64LE(TIME_MARK, 1);
  return bytes;
}

function varint(value: number): Buffer {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function positionsOf(bytes: Buffer, mark: Buffer): number[] {
  const positions = [];
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length))
    positions.push(at);
  return positions;
}
