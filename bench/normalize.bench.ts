/**
 * Time of normalise + redact + encode for one typical tool span: 12 attributes, 200 bytes of arguments, every span
 * different in ids, times and arguments. CPU time of the process (the machine may be shared), best of five rounds;
 * prints one JSON object. Beside it, what fingerprints cost: the same without them, and one KiB of a result.
 */
import { describeOutput } from '../collectors/normalize/describe-output.ts';
import { provenanceKey } from '../collectors/normalize/provenance/provenance-key.ts';
import { normalizeSpan } from '../collectors/normalize/span.ts';
import { encodeEvent } from '../collectors/normalize/encode.ts';
import type { NormalizeContext } from '../collectors/normalize/context.ts';
import type { AttributeValue, OtlpSpan } from '../collectors/otlp/model.ts';
import { canonicalJson } from '../evidence/canonical-json.ts';

const SPANS = 20_000;
const ROUNDS = 5;

const resource = new Map<string, AttributeValue>([
  ['service.name', 'shopping-agent'],
  ['service.instance.id', 'pod-7'],
  ['deployment.environment.name', 'production'],
  ['telemetry.sdk.name', 'opentelemetry'],
]);

function span(index: number): OtlpSpan {
  const id = index.toString(16).padStart(16, '0');
  return {
    resource,
    scopeName: 'mcp-python-sdk',
    scopeVersion: '2.0.0',
    traceId: id + id,
    spanId: id,
    parentSpanId: id,
    flags: 1,
    name: 'tools/call search_files',
    kind: 3,
    startTimeUnixNano: String(1_763_700_000_000_000_000n + BigInt(index)),
    endTimeUnixNano: String(1_763_700_000_050_000_000n + BigInt(index)),
    attributes: new Map<string, AttributeValue>([
      ['mcp.method.name', 'tools/call'],
      ['gen_ai.operation.name', 'execute_tool'],
      ['gen_ai.tool.name', 'search_files'],
      ['gen_ai.tool.call.id', `call_${id}`],
      ['gen_ai.tool.call.arguments', argumentsText(index)],
      ['gen_ai.agent.id', 'agent-42'],
      ['gen_ai.conversation.id', `conv-${index % 1000}`],
      ['jsonrpc.request.id', String(index)],
      ['mcp.protocol.version', '2025-11-25'],
      ['network.transport', 'tcp'],
      ['server.address', 'files.internal'],
      ['tool.result.lines', index % 100],
    ]),
    events: [],
    statusCode: 0,
    statusMessage: undefined,
    droppedAttributesCount: 0,
  };
}

function argumentsText(index: number): string {
  return JSON.stringify({
    path: `/home/alice/projects/report-${index}/chapters`,
    pattern: 'quarterly revenue by region and product line',
    options: { recursive: true, limit: 50, includeHidden: false },
    note: 'only the files changed in the last two weeks, please',
  });
}

const context: NormalizeContext = {
  collector: 'otlp_grpc',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1763700001000000000',
  digestKey: Buffer.alloc(32, 7),
};

const withoutProvenance: NormalizeContext = {
  ...context,
  provenance: { enabled: false, resultTokensMax: 0, scanMaxChars: 0 },
};

/** Prose with addresses and numbers in it, each text different. */
const RESULTS = Array.from({ length: 500 }, (_, index) => {
  const line = `Order ${index} of ${index * 7}.50 EUR for the quarterly report was sent to user${index}@example.com by the finance team; see https://files.example.com/reports/${index}/summary.pdf for details. `;
  return { content: [{ type: 'text', text: line.repeat(20) + argumentsText(index) }] };
});

/** What words, lines and shapes of a result cost. */
function usPerKib(): number {
  const key = provenanceKey(context.digestKey, 'default');
  const kib = RESULTS.reduce((sum, { content }) => sum + (content[0]?.text.length ?? 0) / 1024, 0);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (const result of RESULTS) describeOutput(result, key);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / kib);
  }
  return Math.round(best * 100) / 100;
}

function perItemUs(work: (item: number) => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let item = 0; item < SPANS; item++) work(item);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / SPANS);
  }
  return Math.round(best * 100) / 100;
}

const spans = Array.from({ length: SPANS }, (_, index) => span(index));
const at = <T>(items: readonly T[], index: number) => items[index] as T;
const events = spans.map((item) => normalizeSpan(item, context));
const normalizeUs = perItemUs((index) => normalizeSpan(at(spans, index), context));
const canonicalUs = perItemUs((index) => canonicalJson(at(events, index)));
const encodeUs = perItemUs((index) => encodeEvent(at(events, index)));
const plainUs = perItemUs((index) => normalizeSpan(at(spans, index), withoutProvenance));
const wholeUs = perItemUs((index) => encodeEvent(normalizeSpan(at(spans, index), context)));
console.log(
  JSON.stringify({
    bench: 'normalize',
    node: process.version,
    eventBytes: encodeEvent(at(events, 0)).length,
    argumentsBytes: argumentsText(0).length,
    normalizeUs,
    withoutProvenanceUs: plainUs,
    resultUsPerKib: usPerKib(),
    canonicalUs,
    encodeUs,
    wholeUs,
    eventsPerSecond: Math.round(1e6 / wholeUs),
  }),
);
