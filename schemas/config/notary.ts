import { z } from 'zod';
import { anchor } from './anchors.ts';
import { file, secret } from './secret.ts';

export const notary = z
  .strictObject({
    enabled: z.boolean().default(true).describe('sign checkpoints of what is in the store'),
    state_dir: file
      .optional()
      .describe(
        'its memory of what it signed, never to be restored from a copy; default: notary in the data directory',
      ),
    key: secret
      .optional()
      .describe('signing key of use log, named <deployment>/anchor; default: made once in state_dir'),
    username: z
      .string()
      .min(1)
      .optional()
      .describe('of the store, where this process also writes entries; default: that of the store section'),
    password: secret.optional().describe('with username'),
    interval_ms: z
      .int()
      .min(100)
      .max(3_600_000)
      .default(10_000)
      .describe('longest time without a checkpoint'),
    entries_max: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(4096)
      .describe('a checkpoint comes after so many new entries'),
    anchors: z.array(anchor).default([]).describe('where checkpoints are kept out of reach of the store'),
    anchors_required: z.int().min(0).default(0).describe('so many anchors must hold a recent checkpoint'),
    anchor_max_age_ms: z.int().min(1000).default(60_000).describe('older than this an anchor is behind'),
  })
  .refine(({ username, password }) => username !== undefined || password === undefined, {
    path: ['password'],
    error: 'only with a username',
  })
  .refine(({ anchors, anchors_required }) => anchors_required <= anchors.length, {
    path: ['anchors_required'],
    error: 'more than there are anchors',
  })
  .refine(({ anchors }) => new Set(anchors.map(({ id }) => id)).size === anchors.length, {
    path: ['anchors'],
    error: 'two anchors have one id',
  });
