import type { CustodyEvent } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { F } from './fields.ts';
import { asCount, asFlag, asText } from './field-values.ts';
import { synonyms } from './synonyms.ts';

export type ResultCategory = NonNullable<NonNullable<CustodyEvent['result']>['category']>;
export type Decision = NonNullable<NonNullable<CustodyEvent['policy']>['decision']>;

export interface Outcome {
  readonly category: ResultCategory | undefined;
  readonly code: string | undefined;
}

type Values = readonly (AttributeValue | undefined)[];

const WORDS: readonly (readonly [RegExp, ResultCategory])[] = [
  [/^tool_?error$/, 'tool_error'],
  [/^(?:ok|success|succeeded|completed?|allowed|true|200)$/, 'ok'],
  [/input_required/, 'input_required'],
  [/time_?d?_?out|deadline/, 'timeout'],
  [/cancel|abort/, 'cancelled'],
  [/rate_?limit|too_?many|throttl|quota|resource_exhausted/, 'rate_limited'],
  [/denied|forbidden|unauthori|permission|blocked|rejected|insufficient_scope|unauthenticated/, 'denied'],
  [/err|fail|exception|unavailable|invalid|refused|unknown_tool/, 'error'],
  [/^(?:deferred|pending|unknown|unset)$/, 'unknown'],
];

/**
 * What came of a call, from the most telling fact that is present: both faces of MCP failure, HTTP and JSON-RPC codes, error
 * types; span status comes last, because emitters disagree on which failures set it.
 */
export function outcomeOf(values: Values, result: unknown, statusCode: number): Outcome {
  const http = asCount(values[F.httpStatus]);
  const rpc = asText(values[F.rpcStatus]);
  const errorType = asText(values[F.errorType]);
  const code = (rpc ?? (http !== undefined && http >= 400 ? String(http) : undefined) ?? errorType)?.slice(
    0,
    64,
  );
  const category = categoryOf(values, result, http, rpc, errorType, statusCode);
  return { category, code: category === 'ok' ? undefined : code };
}

function categoryOf(
  values: Values,
  result: unknown,
  http: number | undefined,
  rpc: string | undefined,
  errorType: string | undefined,
  statusCode: number,
): ResultCategory | undefined {
  if (http !== undefined && http >= 400) return byHttp(http);
  if (rpc !== undefined && rpc !== '0') return byCode(rpc);
  if (asFlag(values[F.isError]) === true) return 'tool_error';
  const inResult = byResult(result);
  if (inResult !== undefined) return inResult;
  if (errorType !== undefined) return byCode(errorType);
  const success = asFlag(values[F.success]);
  if (success !== undefined) return success ? 'ok' : 'error';
  const status = asText(values[F.status]);
  if (status !== undefined) return byWord(status) ?? 'unknown';
  if (statusCode === 2) return 'error';
  if (statusCode === 1 || (http !== undefined && http < 400) || asFlag(values[F.isError]) === false)
    return 'ok';
  return undefined;
}

function byResult(result: unknown): ResultCategory | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  const { isError, resultType } = result as { isError?: unknown; resultType?: unknown };
  if (resultType === 'input_required') return 'input_required';
  return isError === true ? 'tool_error' : undefined;
}

/** An HTTP status, a JSON-RPC code or a word. */
function byCode(code: string): ResultCategory {
  if (/^[1-5]\d\d$/.test(code)) return byHttp(Number(code));
  // -32001 is the request timeout of the official SDKs, -32800 cancellation (LSP and MCP drafts).
  if (code === '-32001') return 'timeout';
  if (code === '-32800') return 'cancelled';
  if (/^-?\d+$/.test(code)) return 'error';
  const category = byWord(code);
  return category === undefined || category === 'ok' || category === 'unknown' ? 'error' : category;
}

function byHttp(status: number): ResultCategory {
  if (status === 401 || status === 403) return 'denied';
  if (status === 429) return 'rate_limited';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 499) return 'cancelled';
  return status >= 400 ? 'error' : 'ok';
}

function byWord(word: string): ResultCategory | undefined {
  const plain = word
    .slice(0, 128)
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[\s.-]+/g, '_');
  return WORDS.find(([pattern]) => pattern.test(plain))?.[1];
}

const DECISIONS = synonyms<Decision>({
  allow:
    'allow allowed permit permitted approve approved accept accepted pass passed grant granted auto_accept ok true yes',
  deny: 'deny denied block blocked reject rejected refuse refused forbid forbidden fail failed false no kill quarantine',
  redact: 'redact redacted mask masked modify modified sanitize sanitized transform',
  ask: 'ask asked pending review escalate escalated defer deferred prompt require_approval approval_required challenge',
  warn: 'warn warned warning flag flagged log monitor audit alert',
});

/** A policy decision by any of its usual names; a word nobody knows is `unknown`. */
export function decisionOf(value: AttributeValue | undefined): Decision | undefined {
  const text = asText(value)
    ?.slice(0, 64)
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_');
  return text === undefined || text === '' ? undefined : (DECISIONS.get(text) ?? 'unknown');
}
