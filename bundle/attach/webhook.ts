import { createReadStream, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError, PermanentError, TransientError } from '../../runtime/errors.ts';
import type { AttachTargetOf } from '../../schemas/config/bundle.ts';
import {
  AddressRefused,
  addressAllowed,
  guardedLookup,
  type AddressPolicy,
} from '../../sinks/siem/webhook/address-guard.ts';
import { parseSecrets, signedHeaders } from '../../sinks/siem/webhook/sign.ts';
import type { AttachDeps, Attached, Attachment } from './attach.ts';

type WebhookTarget = AttachTargetOf<'webhook'>;

const ANSWER_MAX_BYTES = 64 * 1024;

/**
 * Sends the file over HTTP, streamed: as the body, or as the field `file` of a form. `Content-Digest` (RFC 9530) has the
 * SHA-256 of the body, `x-custody-bundle-digest` that of the file. With a secret, Standard Webhooks headers sign
 * `<digest in hex>` in place of the body, which may be gigabytes.
 */
export async function attachToWebhook(
  target: WebhookTarget,
  attachment: Attachment,
  deps: AttachDeps,
): Promise<Attached> {
  const url = urlOf(target, attachment);
  const policy = { allowPrivate: target.allow_private_addresses, onlyPrivate: url.protocol === 'http:' };
  const { body, headers } = bodyOf(target, attachment, deps);
  const status = await send(
    target,
    url,
    policy,
    { ...headersOf(target, attachment, deps), ...headers },
    body,
    deps,
  );
  const refused = `cannot attach to ${target.id}: the receiver answered ${status}`;
  if (status >= 200 && status < 300) return { location: `${url.origin}${url.pathname}` };
  if (status === 408 || status === 429 || status >= 500)
    throw new TransientError(status === 429 ? 'rate_limited' : 'unavailable', `${refused}; try again later`);
  throw new PermanentError('rejected', `${refused}; look at bundle.attach in the configuration`);
}

function urlOf({ id, url: text, allow_private_addresses }: WebhookTarget, { caseId, name }: Attachment): URL {
  const url = new URL(
    text
      .replaceAll(/\{case\}|%7Bcase%7D/gi, encodeURIComponent(caseId))
      .replaceAll(/\{name\}|%7Bname%7D/gi, encodeURIComponent(name)),
  );
  const path = `bundle.attach.${id}.url`;
  if (url.username !== '' || url.password !== '')
    throw new ConfigError(`cannot use ${path}: it holds a credential; use authorization`, { path });
  if (url.protocol === 'https:' || (url.protocol === 'http:' && allow_private_addresses)) return url;
  throw new ConfigError(
    `cannot use ${path}: want https (http only with allow_private_addresses, and then to private addresses only)`,
    { path },
  );
}

function headersOf(target: WebhookTarget, { digest, caseId }: Attachment, { clock, secrets }: AttachDeps) {
  const path = `bundle.attach.${target.id}`;
  const keys =
    target.secret === undefined
      ? undefined
      : parseSecrets(secrets(target.secret, `${path}.secret`), `${path}.secret`);
  return {
    ...target.headers,
    'user-agent': 'custody',
    'x-custody-case': encodeURIComponent(caseId),
    'x-custody-bundle-digest': `sha256:${digest}`,
    ...(target.authorization && { authorization: secrets(target.authorization, `${path}.authorization`) }),
    ...(keys && signedHeaders(`bundle_${digest}`, Math.floor(clock.nowMs() / 1000), digest, keys)),
  };
}

function bodyOf(
  { method }: WebhookTarget,
  { file, name, bytes, digest }: Attachment,
  { onBytes }: AttachDeps,
) {
  const counted = async function* () {
    let done = 0;
    for await (const chunk of createReadStream(file)) {
      yield chunk as Buffer;
      onBytes((done += (chunk as Buffer).length), bytes);
    }
  };
  if (method !== 'multipart')
    return {
      body: Readable.from(counted()),
      headers: {
        'content-type': 'application/zip',
        'content-length': bytes,
        'content-disposition': `attachment; filename="${quoted(name)}"`,
        'content-digest': `sha-256=:${Buffer.from(digest, 'hex').toString('base64')}:`,
      },
    };
  // The digest is of the file, whose hash is not in it: no line of the file is this boundary.
  const boundary = `custody-${digest}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted(name)}"\r\nContent-Type: application/zip\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const form = async function* () {
    yield head;
    yield* counted();
    yield tail;
  };
  return {
    body: Readable.from(form()),
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': head.length + bytes + tail.length,
    },
  };
}

const quoted = (name: string): string => name.replaceAll(/[^\x20-\x7e]|["\\]/g, '_');

async function send(
  target: WebhookTarget,
  url: URL,
  policy: AddressPolicy,
  headers: Readonly<Record<string, string | number>>,
  body: Readable,
  { signal }: AttachDeps,
): Promise<number> {
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  const isSecure = url.protocol === 'https:';
  const attempt = AbortSignal.any([signal, AbortSignal.timeout(target.timeout_ms)]);
  try {
    // A literal address is connected to without a lookup.
    if (isIP(literal) !== 0 && !addressAllowed(literal, policy)) throw new AddressRefused(literal);
    const options = {
      ...{ method: target.method === 'put' ? 'PUT' : 'POST', headers, signal: attempt },
      ...{ lookup: guardedLookup(policy), agent: false as const, maxHeaderSize: 16 * 1024 },
    };
    const outgoing = isSecure
      ? httpsRequest(url, { ...options, minVersion: 'TLSv1.2', rejectUnauthorized: true, ...caOf(target) })
      : httpRequest(url, options);
    const answered = new Promise<number>((resolve, reject) => {
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        resolve(incoming.statusCode ?? 0);
        let bytes = 0;
        incoming.on('error', () => undefined);
        incoming.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > ANSWER_MAX_BYTES) incoming.destroy();
        });
      });
    });
    // A receiver may answer before it has read everything, and hang up.
    const sent = pipeline(body, outgoing).then(() => answered);
    return await Promise.race([answered, sent]);
  } catch (cause) {
    body.destroy();
    signal.throwIfAborted();
    if (cause instanceof ConfigError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TransientError(
      'unavailable',
      `cannot attach to ${target.id}: ${attempt.aborted ? `not done in ${target.timeout_ms} ms` : (code ?? message)}`,
      { cause },
    );
  }
}

function caOf({ id, ca_file }: WebhookTarget): { readonly ca?: Buffer } {
  if (ca_file === undefined) return {};
  try {
    return { ca: readFileSync(ca_file) };
  } catch (cause) {
    const path = `bundle.attach.${id}.ca_file`;
    throw new ConfigError(`cannot read ${path}: ${ca_file} is not readable`, { path, cause });
  }
}
