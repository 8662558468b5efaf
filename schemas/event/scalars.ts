import { z } from 'zod';
import { limits } from './limits.ts';

/** What tells one of a kind from the others, as its maker writes it. */
export const id = z.string().min(1).max(limits.idChars);
/** What people and tools call it. */
export const name = z.string().min(1).max(limits.nameChars);
/** How many. */
export const count = z.int().nonnegative();
/** Nanoseconds since the Unix epoch, in decimal. */
export const unixNano = z.string().regex(/^\d{1,20}$/);
/** Trace id of W3C Trace Context, as OTLP JSON writes it. */
export const traceId = z.string().regex(/^[0-9a-f]{32}$/);
/** Span id of W3C Trace Context, as OTLP JSON writes it. */
export const spanId = z.string().regex(/^[0-9a-f]{16}$/);
/** 32 bytes of a digest. */
export const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
/** How often something was found, by its name. */
export const found = z.record(z.string().max(64), count);
