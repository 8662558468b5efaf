// Spans decoded per second of CPU time, 12 attributes each, best of five rounds; prints one JSON object.
import { decodeTraces } from '../collectors/otlp/decode-traces.ts';
import { decodeJsonTraces } from '../collectors/otlp/json-traces.ts';
import { decodeLimits } from '../collectors/otlp/limits.ts';
import { configSchema } from '../schemas/config.ts';
import { asOtlpJson } from '../test/support/otlp-arbitrary.ts';
import { encode, traceRequest } from '../test/support/otlp-proto.ts';
import { spansRequest, toolSpan } from '../test/support/otlp-requests.ts';

const SPANS = 512;
const ROUNDS = 5;
const REPEATS = 60;
const limits = decodeLimits(configSchema.parse({}).ingest);

function attributesOf(i: number) {
  const texts = {
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': 'search_docs',
    'gen_ai.operation.name': 'execute_tool',
    'jsonrpc.request.id': String(i),
    'mcp.protocol.version': '2025-11-25',
    'mcp.session.id': `session-${i % 20}`,
    'network.transport': 'tcp',
    'server.address': 'docs.example.com',
    'gen_ai.tool.call.arguments': JSON.stringify({ query: `rotate keys ${i}`, filter: 'x'.repeat(140) }),
    'gen_ai.tool.call.id': `call_${i}_${(i * 7919) % 104729}`,
    'gen_ai.agent.id': 'agent-7',
  };
  const pairs = Object.entries(texts).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  return [...pairs, { key: 'server.port', value: { intValue: '443' } }];
}

const request = spansRequest(
  ...Array.from({ length: SPANS }, (_, i) => toolSpan({ attributes: attributesOf(i) })),
);
const protobuf = encode(traceRequest, request);
const json = Buffer.from(asOtlpJson(request));

function spansPerSecond(decode: () => Iterable<unknown>): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    let count = 0;
    for (let i = 0; i < REPEATS; i++) count += Array.from(decode()).length;
    const used = process.cpuUsage(before);
    best = Math.max(best, (count * 1e6) / (used.user + used.system));
  }
  return Math.round(best);
}

process.stdout.write(
  `${JSON.stringify({
    protobuf: {
      spansPerCpuSecond: spansPerSecond(() => decodeTraces(protobuf, limits)),
      spanBytes: Math.round(protobuf.length / SPANS),
    },
    json: {
      spansPerCpuSecond: spansPerSecond(() => decodeJsonTraces(json, limits)),
      spanBytes: Math.round(json.length / SPANS),
    },
  })}\n`,
);
