import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { type SigningKey, signText, type VerifierKey } from '../evidence/note/key.ts';
import { formatSignature, NoteFormatError } from '../evidence/note/note.ts';
import { decideCheckpoint, parseAddCheckpoint, type WitnessDecision } from '../evidence/witness.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Component } from '../runtime/component.ts';
import { PermanentError, TransientError } from '../runtime/errors.ts';
import { type TlsMaterial, tlsServerOptions } from '../runtime/listen.ts';
import type { Logger } from '../runtime/logger.ts';
import type { WitnessState } from './state.ts';

export interface WitnessOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls: TlsMaterial | undefined;
  readonly key: SigningKey;
  /** Logs it signs for: the name of a key is the origin of its log. */
  readonly logs: readonly VerifierKey[];
  readonly state: WitnessState;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A checkpoint with 63 hashes and some signatures is 10 kB. */
const BODY_MAX_BYTES = 64 * 1024;

/**
 * `POST /add-checkpoint` of C2SP tlog-witness: signs a checkpoint that leads on from the last one it signed for the log,
 * and answers with the cosignature once that is on disk. Asks nobody who they are: the log's signature is the permission.
 */
export function createWitness(
  options: WitnessOptions,
): Component & { address(): { host: string; port: number } } {
  const { host, port, tls, key, logs, state, clock, logger } = options;
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: BODY_MAX_BYTES,
    ...(tls === undefined ? {} : { https: tlsServerOptions(tls) }),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  // One request after the other: between the check and the write nothing may sign a larger tree.
  let turn: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function add(body: Buffer): Promise<WitnessDecision & { readonly cosignature?: string }> {
    const asked = parseAddCheckpoint(body);
    const decision = decideCheckpoint(asked, logs, (origin) => state.latest(origin));
    if (decision.status !== 200) return decision;
    const { text, signatures } = asked.note;
    const cosignature = signText(key, text, BigInt(Math.floor(clock.nowMs() / 1000)));
    const ofLog = signatures.filter(({ name }) => name === decision.origin);
    await state.store({ text, signatures: [...ofLog, cosignature] });
    return { ...decision, cosignature: formatSignature(cosignature) };
  }

  app.post('/add-checkpoint', async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const decision = await inTurn(() => add(body)).catch(refusal);
    const { status } = decision;
    if (status === 200) return reply.type('text/plain; charset=utf-8').send(decision.cosignature);
    tell(decision, request.body);
    if (status === 409) return reply.code(409).type('text/x.tlog.size').send(`${decision.size}\n`);
    return reply.code(status).type('text/plain; charset=utf-8').send(`${decision.reason}\n`);
  });
  /** A log that signed two histories is caught by these notes: they are kept in the log of the process. */
  function tell(decision: Exclude<WitnessDecision, { status: 200 }> | Refusal, body: unknown): void {
    const { status, reason } = decision;
    if (status === 422 || (status === 409 && decision.isSplit))
      logger.error({ status, reason, request: String(body) }, 'a log asked to sign another history');
    else logger.info({ status, reason }, 'checkpoint not signed');
  }

  app.get('/healthz', () => ({ status: 'ok' }));

  return {
    name: 'witness',
    async start() {
      try {
        await app.listen({ host, port });
      } catch (cause) {
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
        throw new PermanentError('port_taken', `cannot listen on ${host}:${port}: ${errno}`, { cause });
      }
    },
    async stop() {
      await app.close();
      await turn;
      await state.close();
    },
    address() {
      const { address, port } = app.server.address() as AddressInfo;
      return { host: address, port };
    },
  };
}

interface Refusal {
  readonly status: 400 | 503;
  readonly reason: string;
}

/** A body that is no request is the sender's fault; a full disk is ours, and nothing was signed then. */
function refusal(error: unknown): Refusal {
  if (error instanceof NoteFormatError) return { status: 400, reason: error.message };
  if (error instanceof TransientError) return { status: 503, reason: 'the state cannot be written' };
  throw error;
}
