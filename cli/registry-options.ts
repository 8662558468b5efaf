import { InputError } from '../runtime/errors.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** `30d`, `12h`, a day or an RFC 3339 time, in milliseconds since the epoch; 0 where nothing is given. */
export function sinceMs(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  const span = /^(\d{1,5})([mhdw])$/.exec(text);
  if (span !== null) return nowMs - Number(span[1]) * UNITS_MS[span[2] as keyof typeof UNITS_MS];
  const ms = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new InputError(
    'input_invalid',
    'cannot use --since: it is neither a span such as 30d, nor a day, nor an RFC 3339 time',
    { path: '--since' },
  );
}

/** Empty for all tenants. */
export function tenantOption(tenant: string | undefined): string {
  if (tenant === undefined || TENANT_PATTERN.test(tenant)) return tenant ?? '';
  throw new InputError('input_invalid', 'cannot use --tenant: it is not a tenant id', { path: '--tenant' });
}

/** Names come from senders: nothing in them may steer a terminal. */
export function shown(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, '\ufffd');
}
