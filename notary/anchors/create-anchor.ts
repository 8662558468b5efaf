import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AnchorConfig } from '../../schemas/config/anchors.ts';
import type { Anchor } from '../anchor.ts';
import { neverBack } from './never-back.ts';

export interface AnchorDeps {
  /** Reads the secret that a configuration refers to. Throws a ConfigError. */
  readonly secrets: (
    reference: { readonly file?: string | undefined; readonly env?: string | undefined },
    path: string,
  ) => string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The anchor that a configuration describes. What is wrong with the configuration is found here; an anchor that only does
 * not answer now is opened, and its `publish` says so.
 * @throws ConfigError, PermanentError (`rejected`)
 */
export async function createAnchor(config: AnchorConfig, deps: AnchorDeps): Promise<Anchor> {
  return neverBack(await open(config, deps));
}

/** Each kind is loaded when there is one: some bring large libraries. */
async function open(config: AnchorConfig, deps: AnchorDeps): Promise<Anchor> {
  switch (config.type) {
    case 'file':
      return (await import('./file-anchor.ts')).openFileAnchor(config, deps);
    case 's3':
      return (await import('./s3-anchor.ts')).openS3Anchor(config, deps);
    case 'rfc3161':
      return (await import('./timestamp-anchor.ts')).openTimestampAnchor(config, deps);
    case 'witness':
      return (await import('./witness-anchor.ts')).openWitnessAnchor(config, deps);
    case 'kafka':
      return (await import('./kafka-anchor.ts')).openKafkaAnchor(config, deps);
    case 'siem':
      return (await import('./siem-anchor.ts')).openSiemAnchor(config, deps);
  }
}
