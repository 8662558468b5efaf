import { describe, expect, it } from 'vitest';
import { F, FIELD_COUNT, type Field } from '../../../collectors/normalize/fields.ts';
import { decisionOf, outcomeOf } from '../../../collectors/normalize/outcome.ts';
import type { AttributeValue } from '../../../collectors/otlp/model.ts';

function outcome(facts: Partial<Record<Field, AttributeValue>>, result?: unknown, statusCode = 0) {
  const values = new Array<AttributeValue | undefined>(FIELD_COUNT).fill(undefined);
  for (const [field, value] of Object.entries(facts)) values[F[field as Field]] = value;
  return outcomeOf(values, result, statusCode);
}

describe('outcomeOf', () => {
  it.each<[Partial<Record<Field, AttributeValue>>, string | undefined, string | undefined]>([
    [{ httpStatus: 401 }, 'denied', '401'],
    [{ httpStatus: '403' }, 'denied', '403'],
    [{ httpStatus: '429' }, 'rate_limited', '429'],
    [{ httpStatus: 504 }, 'timeout', '504'],
    [{ httpStatus: 500 }, 'error', '500'],
    [{ httpStatus: 200 }, 'ok', undefined],
    [{ httpStatus: 200, errorType: 'tool_error' }, 'tool_error', 'tool_error'],
    [{ rpcStatus: '-32602' }, 'error', '-32602'],
    [{ rpcStatus: -32001 }, 'timeout', '-32001'],
    [{ rpcStatus: '-32800' }, 'cancelled', '-32800'],
    [{ errorType: 'tool_error' }, 'tool_error', 'tool_error'],
    [{ errorType: '429' }, 'rate_limited', '429'],
    [{ errorType: 'java.net.SocketTimeoutException' }, 'timeout', 'java.net.SocketTimeoutException'],
    [{ errorType: 'PermissionError' }, 'denied', 'PermissionError'],
    [{ errorType: 'RateLimitError' }, 'rate_limited', 'RateLimitError'],
    [{ errorType: 'CancelledError' }, 'cancelled', 'CancelledError'],
    [{ errorType: 'SomethingElse' }, 'error', 'SomethingElse'],
    [{ isError: true }, 'tool_error', undefined],
    [{ isError: 'false' }, 'ok', undefined],
    [{ success: 'false' }, 'error', undefined],
    [{ success: true }, 'ok', undefined],
    [{ status: 'Succeeded' }, 'ok', undefined],
    [{ status: 'blocked' }, 'denied', undefined],
    [{ status: 'whatever' }, 'unknown', undefined],
    [{}, undefined, undefined],
  ])('reads %j as %s with code %s', (facts, category, code) => {
    expect(outcome(facts)).toEqual({ category, code });
  });
  it('sees both faces of failure in a result', () => {
    expect(outcome({ success: true }, { isError: true }).category).toBe('tool_error');
    expect(outcome({}, { resultType: 'input_required' }).category).toBe('input_required');
  });
  it('asks the span status last', () => {
    expect(outcome({}, undefined, 2).category).toBe('error');
    expect(outcome({}, undefined, 1).category).toBe('ok');
    expect(outcome({ errorType: 'tool_error' }, undefined, 1).category).toBe('tool_error');
  });
});

describe('decisionOf', () => {
  it.each([
    ['Allowed', 'allow'],
    ['permit', 'allow'],
    ['APPROVE', 'allow'],
    ['accept', 'allow'],
    ['blocked', 'deny'],
    ['reject', 'deny'],
    ['denied', 'deny'],
    ['masked', 'redact'],
    ['require approval', 'ask'],
    ['flag', 'warn'],
    ['perhaps', 'unknown'],
  ])('reads %s as %s', (word, decision) => {
    expect(decisionOf(word)).toBe(decision);
  });
  it('reads nothing where nothing is said', () => {
    expect(decisionOf(undefined)).toBeUndefined();
    expect(decisionOf('')).toBeUndefined();
  });
});
