import type { CustodyEvent } from '../../schemas/event.ts';
import type { RegistryDocument } from '../../schemas/registry.ts';
import type { ArgumentType } from '../../schemas/event/payload.ts';
import { documentDigest } from '../../detectors/registry/document-digest.ts';
import { canonicalJson } from '../../evidence/canonical-json.ts';
import { callEvent, hex, uuidOf, type Call, type runner } from './sessions.ts';

type Run = ReturnType<typeof runner>;
type Listed = NonNullable<CustodyEvent['listed_tools']>[string];
type Found = Readonly<Record<string, number>>;

/** Brings a registry into force. */
export function enforce(run: Run, registry: Omit<RegistryDocument, 'version'>): void {
  const document = { version: 1 as const, ...registry };
  const event = callEvent('custody-control.0', 'policy', run.records.length, run.now(), { tool: 'none' });
  run.send({
    schema: event.schema,
    event_id: event.event_id,
    kind: 'policy_document',
    tenant: 'custody-control.0',
    time_unix_nano: event.time_unix_nano,
    observed_time_unix_nano: event.observed_time_unix_nano,
    source: event.source,
    policy_document: {
      type: 'registry',
      digest: documentDigest(document),
      document: canonicalJson(document),
    },
  });
}

/** What the arguments hold. */
export interface Holds {
  readonly shapes?: Found;
  readonly findings?: Found;
  readonly keys?: readonly string[];
  /** One for each of `keys`. */
  readonly types?: readonly ArgumentType[];
  /** Path to size, or to size and the call its output it came from. */
  readonly values?: Readonly<Record<string, number | readonly [size: number, source: number | 'prompt']>>;
  /** Path to the characters of its value that look random. */
  readonly random?: Found;
  /** Destination to the call it came from. */
  readonly from?: Readonly<Record<string, number>>;
}

export const holding = (
  call: Call,
  { shapes, findings, keys, types, values, random, from }: Holds,
): Call => ({
  ...call,
  change: (event) => ({
    ...(call.change?.(event) ?? event),
    arguments: {
      ...event.arguments,
      ...(shapes === undefined ? {} : { shapes: { ...shapes } }),
      ...(findings === undefined ? {} : { findings: { ...findings } }),
      ...(keys === undefined ? {} : { keys: [...keys] }),
      ...(types === undefined ? {} : { types: [...types] }),
      ...(values === undefined
        ? {}
        : {
            values: Object.entries(values).map(([path, told]) => ({
              ...valueOf([path, told]),
              ...(random?.[path] === undefined ? {} : { random_chars: random[path] }),
            })),
          }),
    },
    ...(from === undefined
      ? {}
      : {
          destination_origins: Object.entries(from).map(([destination, source]) => ({
            destination,
            origin: 'output' as const,
            source_call: source,
          })),
        }),
  }),
});

function valueOf([path, told]: [string, number | readonly [number, number | 'prompt']]) {
  const [size, source] = typeof told === 'number' ? [told, undefined] : told;
  const hash = hex(`${path} ${size}`).slice(0, 12);
  if (source === undefined) return { path, hash, size_bytes: size, origin: 'none' as const };
  if (source === 'prompt') return { path, hash, size_bytes: size, origin: 'prompt' as const };
  return { path, hash, size_bytes: size, origin: 'output' as const, source_call: source };
}

/** What the result shows. */
export const showing = (
  call: Call,
  result: { shapes?: Record<string, number>; findings?: Record<string, number> },
): Call => ({
  ...call,
  change(event) {
    const changed = call.change?.(event) ?? event;
    return { ...changed, result: { ...changed.result, ...result } };
  },
});

export interface ListedTools {
  readonly server: string;
  readonly tools: Readonly<
    Record<string, Partial<Listed> & { readonly text?: string; readonly inputs?: readonly string[] }>
  >;
  readonly agent?: string;
  readonly version?: string;
}

let lists = 0;

/** A server's answer to `tools/list`. */
export function listTools(run: Run, { server, tools, agent = 'agent-1', version }: ListedTools) {
  lists += 1;
  run.wait(1000);
  const listed = Object.entries(tools).map(
    ([name, { text = name, inputs = ['q'], ...rest }]): [string, Listed] => [
      name,
      {
        description: text,
        description_digest: hex(text),
        schema_digest: hex(inputs.join(' ')),
        properties: [...inputs],
        ...rest,
      },
    ],
  );
  return run.send({
    ...callEvent('acme', 'unused', 0, run.now(), { tool: 'none' }),
    event_id: uuidOf(`list ${lists}`),
    kind: 'tool_list',
    phase: undefined,
    tool: undefined,
    arguments: undefined,
    result: undefined,
    session: undefined,
    policy: undefined,
    actor: { id: agent, type: 'agent' },
    server: { name: server, ...(version === undefined ? {} : { version }) },
    listed_tools: Object.fromEntries(listed),
    tool_definitions: Object.fromEntries(listed.map(([name, tool]) => [name, hex(JSON.stringify(tool))])),
  } as unknown as CustodyEvent);
}

/** Closes all open sessions: time goes by. */
export function settle(run: Run): void {
  run.wait(31 * 60_000);
  run.session(`settle ${run.records.length}`, [{ tool: 'tick', server: 'clock' }]);
  run.wait(31 * 60_000);
  run.session(`settle ${run.records.length}`, [{ tool: 'tick', server: 'clock' }]);
}

/** The same session many times, each closed and learned. */
export function repeat(run: Run, count: number, calls: (index: number) => readonly Call[]): void {
  for (let index = 0; index < count; index += 1) run.session(`usual ${run.records.length}`, calls(index));
  settle(run);
}

/** Size of what is kept of the tenant. */
export function tenantBytes(run: Run): number {
  const [piece] = [...run.engine().snapshot()].filter(({ name }) => name === 'tenant/acme');
  return piece?.value?.length ?? 0;
}
