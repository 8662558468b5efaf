import { z } from 'zod';
import { TENANT_PATTERN } from '../event.ts';

export const KiB = 1024;
export const MiB = 1024 * KiB;
const port = z.int().min(0).max(65535).describe('0 = any free port');
export const host = z.string().min(1);
export const file = z.string().min(1);

export const secret = z.strictObject({
  file: file.optional(),
  env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .optional(),
});

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
export const token = z.strictObject({
  file: file.optional(),
  env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .optional(),
  tenant: z.string().regex(TENANT_PATTERN).optional(),
});
