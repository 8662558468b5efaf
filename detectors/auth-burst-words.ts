import type { DetectConfig } from '../schemas/config.ts';
import type { Burst, BurstOf } from './auth-burst.ts';
import type { Finding } from './detector.ts';
import { accessReferences } from './references-access.ts';
import { capital, shown } from './wording.ts';

const references = accessReferences['auth-burst'];

/** Too many refused logins; names come from outside. */
export function describeBurst(of: BurstOf, config: DetectConfig['auth_burst']): Finding {
  const { burst, name, kind } = of;
  const names = burst.principals.length;
  const isSpread = kind === 'source' && names > 1;
  const isOneCredential = burst.credential !== '';
  const observed = `${failuresText(burst)} of ${whoText(of)}`;
  return {
    title: isSpread
      ? 'Refused logins of several names from one source'
      : isOneCredential
        ? 'One credential refused again and again'
        : 'Burst of refused logins',
    // A client that goes on with an expired token guesses nothing.
    severity: isOneCredential ? 'low' : 'medium',
    score: 1 - config.failures / (2 * Math.max(burst.failures, config.failures)),
    reason: `${capital(observed)}${isSpread ? `, as ${names}${names >= 16 ? ' or more' : ''} different names` : ''}; ${config.failures} within a half-life of ${seconds(config.half_life_ms)} are too many.`,
    observed,
    normal: `fewer than ${config.failures} refused logins, counted with a half-life of ${seconds(config.half_life_ms)}`,
    distance: `${burst.failures} of ${config.failures}`,
    dedupKey: `burst ${kind} ${name}`,
    evidence: burst.eventIds,
    references,
  };
}

/** A login or a call that succeeded right after a burst. */
export function describeEntry(of: BurstOf, timeMs: number): Finding {
  const { burst, name, kind } = of;
  const observed = `access ${seconds(Math.max(0, timeMs - burst.lastMs))} after the last of ${failuresText(burst)} of ${whoText(of)}`;
  return {
    title: 'Access after a burst of refused logins',
    severity: 'high',
    score: 0.95,
    reason: `${capital(observed)}: a guess may have been right.`,
    observed,
    normal: 'who is refused again and again does not get in',
    distance: `${burst.failures} refusals before`,
    dedupKey: `entry ${kind} ${name}`,
    evidence: burst.eventIds,
    references,
  };
}

function failuresText({ failures, firstMs, lastMs }: Burst): string {
  return `${failures} refused logins in ${seconds(Math.max(0, lastMs - firstMs))}`;
}

function whoText({ kind, name }: BurstOf): string {
  return kind === 'source' ? `source ${shown(name)}` : shown(name);
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
