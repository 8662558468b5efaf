import { z } from 'zod';
import { senderTenant } from '../control-tenant.ts';
import { file, secret } from './secret.ts';

const port = z.int().min(0).max(65535).describe('0 = any free port');
export const host = z.string().min(1);

const tls = z.strictObject({ cert_file: file, key_file: file, client_ca_file: file.optional() });

/** One listening socket. Beyond loopback it needs TLS, and the listener needs a token (promise P8). */
export const listener = (defaultPort: number) =>
  z.strictObject({
    enabled: z.boolean().default(true),
    host: host.default('127.0.0.1'),
    port: port.default(defaultPort),
    tls: tls.optional(),
    dangerously_without_tls: z
      .boolean()
      .default(false)
      .describe('beyond loopback without TLS: only behind a proxy that terminates it'),
  });

/** A bearer token; with `tenant`, records sent with it belong to that tenant whatever they say. */
export const token = secret.extend({ tenant: senderTenant.optional() });
