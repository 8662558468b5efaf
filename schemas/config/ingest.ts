import { z } from 'zod';
import { senderTenant } from '../control-tenant.ts';
import { limits } from '../event/limits.ts';
import { KiB, MiB } from './bytes.ts';
import { listener, token } from './listener.ts';

export const ingest = z.strictObject({
  http: listener(4318).prefault({}),
  grpc: listener(4317).prefault({}),
  tokens: z.array(token).default([]).describe('empty = no authentication, loopback only'),
  tenant: senderTenant.default('default').describe('for records that name none'),
  request_max_bytes: z
    .int()
    .min(KiB)
    .max(256 * MiB)
    .default(16 * MiB)
    .describe('after decompression'),
  attribute_max_count: z.int().min(1).max(4096).default(512).describe('attributes read per record'),
  depth_max: z.int().min(4).max(256).default(32).describe('nesting of values'),
  string_max_bytes: z
    .int()
    .min(KiB)
    .max(16 * MiB)
    .default(1 * MiB)
    .describe('longer values are cut before redaction'),
  records_max: z.int().min(1).max(1_000_000).default(50_000).describe('records in one request'),
  provenance: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('fingerprints of values and words, by which detectors see where a value came from'),
      result_tokens_max: z
        .int()
        .min(0)
        .max(limits.tokens)
        .default(limits.tokens)
        .describe('words kept of one result or intent; 0 = none'),
      scan_max_bytes: z
        .int()
        .min(KiB)
        .max(16 * MiB)
        .default(256 * KiB)
        .describe('read of one result or intent for its words'),
    })
    .prefault({}),
  in_flight_max_bytes: z
    .int()
    .min(MiB)
    .max(4096 * MiB)
    .default(128 * MiB)
    .describe('beyond it: 503 and Retry-After'),
  receipt_issuers: z
    .array(
      z.strictObject({
        issuer: z.string().min(1).max(256).describe('name that its receipts carry'),
        verifier_key: z.string().min(1).max(400).describe('its public key, of use log (custody keys show)'),
      }),
    )
    .default([])
    .describe('gateways whose signed receipts are believed; those of others are kept and count for nothing'),
  requests_per_second_max: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('beyond it: 429, per token or address'),
});
