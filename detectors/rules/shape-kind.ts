import type { Shape } from './cel-type.ts';

/** What compares by value. */
export type Scalar = string | number | boolean;

/** Operators of CEL on two values of one type. */
export const comparisons: Readonly<Record<string, (left: Scalar, right: Scalar) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

function typeName(shape: Shape): string {
  if (shape.properties !== undefined || shape.items !== undefined || shape.additionalProperties)
    return 'object';
  return shape.type ?? typeof (shape.const ?? shape.enum?.[0]);
}

export function isText(shape: Shape): boolean {
  return typeName(shape) === 'string';
}

/** Compared by value. */
export function isScalar(shape: Shape): boolean {
  return ['string', 'boolean', 'integer', 'number'].includes(typeName(shape));
}
