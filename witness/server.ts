import type { AddressInfo } from 'node:net';
import fastify, { type FastifyError } from 'fastify';
import { type SigningKey, signText, type VerifierKey } from '../evidence/note/key.ts';
import { formatNote, formatSignature, NoteFormatError, type SignedNote } from '../evidence/note/note.ts';
import {
  decideCheckpoint,
  parseAddCheckpoint,
  signedByKnown,
  type WitnessDecision,
} from '../evidence/witness.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Component } from '../runtime/component.ts';
import { ConfigError, PermanentError, TransientError } from '../runtime/errors.ts';
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
const REQUEST_TIMEOUT_MS = 10_000;
const SPLITS_TOLD_MAX = 1_000;

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
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    ...(tls === undefined ? {} : { https: tlsServerOptions(tls) }),
  });
  app.setErrorHandler(async (error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) logger.error({ err: error }, 'a request could not be answered');
    await reply
      .code(status)
      .type('text/plain; charset=utf-8')
      .send(status >= 500 ? 'error\n' : `${error.message}\n`);
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
    if (decision.status === 409 && decision.isSplit) tellSplit(asked.note);
    if (decision.status !== 200) return decision;
    const { origin, head } = decision;
    const ofLog = signedByKnown(
      asked.note,
      logs.filter(({ name }) => name === origin),
    );
    const cosignature = signText(key, ofLog.text, BigInt(Math.floor(clock.nowMs() / 1000)));
    // The same tree again is signed with a new time; what must not be forgotten is on disk.
    if (state.latest(origin)?.size !== head.size)
      await state.store({ ...ofLog, signatures: [...ofLog.signatures, cosignature] });
    return { ...decision, cosignature: formatSignature(cosignature) };
  }

  app.post('/add-checkpoint', async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const decision = await inTurn(() => add(body)).catch(refusal);
    const { status } = decision;
    if (status === 200) return reply.type('text/plain; charset=utf-8').send(decision.cosignature);
    logger.info({ status, reason: decision.reason }, 'checkpoint not signed');
    if (status === 409) return reply.code(409).type('text/x.tlog.size').send(`${decision.size}\n`);
    return reply.code(status).type('text/plain; charset=utf-8').send(`${decision.reason}\n`);
  });
  const told = new Set<string>();
  /** The two notes together prove that the log has signed two histories; each other one is told once. */
  function tellSplit(note: SignedNote): void {
    const origin = note.text.slice(0, note.text.indexOf('\n'));
    if (told.has(note.text) || told.size === SPLITS_TOLD_MAX) return;
    told.add(note.text);
    const keys = logs.filter(({ name }) => name === origin);
    const before = state.latest(origin)?.note;
    logger.error(
      {
        origin,
        signed_before: before === undefined ? undefined : formatNote(before),
        refused: formatNote(signedByKnown(note, keys)),
      },
      'a log has signed two trees of one size',
    );
  }

  app.get('/healthz', () => ({ status: 'ok' }));

  return {
    name: 'witness',
    async start() {
      try {
        await app.listen({ host, port });
      } catch (cause) {
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
        const message = `cannot listen on ${host}:${port}: ${errno}; choose another with --listen`;
        if (errno === 'EADDRINUSE') throw new PermanentError('port_taken', message, { cause });
        throw new ConfigError(message, { path: '--listen', cause });
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
