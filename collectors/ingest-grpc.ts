import { createServer } from 'node:net';
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServiceDefinition,
  type handleUnaryCall,
} from '@grpc/grpc-js';
import type { Component } from '../runtime/component.ts';
import { InputError, TransientError } from '../runtime/errors.ts';
import type { ListenerConfig } from '../schemas/config.ts';
import { contextOf, createAdmission, type Sender } from './admission.ts';
import { grpcAdmission } from './grpc-admission.ts';
import { grpcRefusalOf, type GrpcRefusal } from './grpc-status.ts';
import { inFlight } from './in-flight.ts';
import type { IngestDeps } from './intake.ts';
import { listenError, readTls, type TlsMaterial } from '../runtime/listen.ts';
import { takeExport } from './otlp/export.ts';
import type { OtlpSignal } from './otlp/items.ts';

/** The OTLP/gRPC receiver: `Export` of TraceService and LogsService. */
export interface IngestGrpc extends Component {
  /** Where it listens; throws before `start`. */
  address(): { readonly host: string; readonly port: number };
}

const METHODS: Readonly<Record<OtlpSignal, string>> = {
  span: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  log: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};
const READING_CALLS_MIN = 32;
const CLOSE_GRACE_MS = 1000;

/** Creates the receiver; it listens on `start`. Status OK means the request's records are durable. */
export function createIngestGrpc(deps: IngestDeps): IngestGrpc {
  const { config, logger, metrics } = deps;
  const bodies = inFlight(config.in_flight_max_bytes);
  const senders = new WeakMap<Metadata, Sender>();
  let server: Server | undefined;
  let port = 0;
  let stopping = false;
  /** Calls read whole and not answered yet. */
  let takenCount = 0;
  let whenNoneTaken: (() => void) | undefined;

  function refuse(error: unknown): GrpcRefusal {
    const refusal = grpcRefusalOf(error);
    const code = error instanceof InputError || error instanceof TransientError ? error.code : 'internal';
    metrics.refused.inc({ collector: 'otlp_grpc', code });
    if (refusal !== undefined) return refusal;
    // A foreign message may quote the request: name and place only.
    const defect = error instanceof Error ? error : new Error('unknown');
    logger.error({ defect: defect.name, at: defect.stack?.split('\n').slice(-8) }, 'cannot handle a call');
    return {
      code: status.INTERNAL,
      details: 'cannot take the request: internal error',
      metadata: new Metadata(),
    };
  }

  async function take(signal: OtlpSignal, metadata: Metadata, body: Buffer): Promise<Uint8Array> {
    if (stopping)
      throw new TransientError('unavailable', 'cannot take the request: the receiver is stopping');
    const sender = senders.get(metadata);
    if (sender === undefined)
      throw new InputError('unauthorized', 'cannot take the request: it was not admitted');
    const reservation = bodies.open();
    takenCount++;
    try {
      reservation.grow(body.length);
      return await takeExport(deps, contextOf(deps, 'otlp_grpc', sender), signal, 'protobuf', body);
    } finally {
      reservation.release();
      if (--takenCount === 0) whenNoneTaken?.();
    }
  }

  const handler =
    (signal: OtlpSignal): handleUnaryCall<Buffer, Uint8Array> =>
    (call, callback) => {
      take(signal, call.metadata, call.request).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(refuse(error)),
      );
    };

  return {
    name: 'ingest_grpc',
    async start() {
      const tls = readTls(config.grpc, 'ingest.grpc');
      const listening = new Server({
        'grpc.max_receive_message_length': config.request_max_bytes,
        'grpc.max_concurrent_streams': 128,
        interceptors: [
          grpcAdmission({
            admit: createAdmission(deps),
            readingCallsMax: Math.max(
              READING_CALLS_MIN,
              Math.floor(config.in_flight_max_bytes / config.request_max_bytes),
            ),
            onAdmitted: (metadata, sender) => senders.set(metadata, sender),
            refuse,
          }),
        ],
      });
      for (const signal of ['span', 'log'] as const) {
        listening.addService(serviceOf(METHODS[signal]), { export: handler(signal) });
      }
      await requireFree(config.grpc);
      port = await bind(listening, config.grpc, tls);
      server = listening;
    },
    async stop() {
      stopping = true;
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      if (takenCount > 0) await new Promise<void>((resolve) => (whenNoneTaken = resolve));
      // Answers on their way get a moment; a message still coming in is cut off, nothing of it was accepted.
      await new Promise<void>((resolve) => {
        const grace = setTimeout(() => closing.forceShutdown(), CLOSE_GRACE_MS);
        closing.tryShutdown(() => {
          clearTimeout(grace);
          resolve();
        });
      });
    },
    address() {
      if (server === undefined) throw new Error('ingest_grpc is not started');
      return { host: config.grpc.host, port };
    },
  };
}

/** The method with bytes in and out: the decoder is ours. */
function serviceOf(path: string): ServiceDefinition {
  const pass = (bytes: Buffer) => bytes;
  return {
    export: {
      path,
      requestStream: false,
      responseStream: false,
      requestDeserialize: pass,
      requestSerialize: pass,
      responseDeserialize: pass,
      responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    },
  };
}

/** grpc-js tells why it cannot bind in message text only: try the address once to learn the code. */
function requireFree(listener: ListenerConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause) => reject(listenError(listener, 'ingest.grpc', cause)));
    probe.listen({ host: listener.host, port: listener.port, exclusive: true }, () =>
      probe.close(() => resolve()),
    );
  });
}

function bind(server: Server, listener: ListenerConfig, tls: TlsMaterial | undefined): Promise<number> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          tls.clientCa ?? null,
          [{ cert_chain: tls.cert, private_key: tls.key }],
          tls.clientCa !== undefined,
        );
  const host = listener.host.includes(':') ? `[${listener.host}]` : listener.host;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${listener.port}`, credentials, (cause, bound) => {
      if (cause === null) resolve(bound);
      else reject(listenError(listener, 'ingest.grpc', cause));
    });
  });
}
