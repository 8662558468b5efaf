import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { ConfigError } from '../../runtime/errors.ts';
import type { AttachTarget } from '../../schemas/config/bundle.ts';
import { digestOf } from '../custody-file.ts';
import { attachToWebhook } from './webhook.ts';

/** A bundle on its way out. */
export interface Attachment {
  readonly file: string;
  /** Name without a directory. */
  readonly name: string;
  readonly caseId: string;
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string;
  readonly bytes: number;
}

export interface AttachDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly secrets: (
    reference: { readonly file?: string | undefined; readonly env?: string | undefined },
    path: string,
  ) => string;
  readonly onBytes: (done: number, total: number) => void;
}

/** Where a bundle was taken to, as the custody act names it. */
export interface Attached {
  readonly location: string;
}

/** Takes a bundle to a configured target; resolves when the receiver has it. */
export async function attachBundle(
  target: AttachTarget,
  file: string,
  caseId: string,
  deps: AttachDeps,
): Promise<Attached> {
  const { size: bytes } = await stat(file).catch((cause: unknown) => {
    throw new ConfigError(
      `cannot read ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}`,
      {
        cause,
      },
    );
  });
  const attachment = { file, name: basename(file), caseId, digest: await digestOf(file), bytes };
  if (target.type === 'webhook') return attachToWebhook(target, attachment, deps);
  // The SDK takes long to load, and few have this target.
  const { attachToS3 } = await import('./s3.ts');
  return attachToS3(target, attachment, deps);
}
