import { type Html, escaped } from './html.ts';
import type { ShownEntry } from './case-summary.ts';

/** How a decision is drawn: told apart by shape, also without colour (the colours are Okabe and Ito's). */
export type MarkShape = 'allow' | 'deny' | 'ask' | 'redact' | 'none' | 'context';

/** In words, for the legend, in the order it lists them. */
export const SHAPES: readonly (readonly [MarkShape, string])[] = [
  ['allow', 'call, allowed'],
  ['deny', 'call, denied'],
  ['ask', 'call, approval asked or warned'],
  ['redact', 'call, redacted'],
  ['none', 'call, no decision recorded'],
  ['context', 'model, plan, session, sign-in or policy event'],
];

/** Calls that the drawing gives a lane of their own. */
export const isCall = ({ what }: ShownEntry): boolean => what === 'tool_call' || what === 'api_call';

export function shapeOf(entry: ShownEntry): MarkShape {
  if (!isCall(entry)) return 'context';
  switch (entry.decision) {
    case 'allow':
    case 'deny':
    case 'redact':
      return entry.decision;
    case 'ask':
    case 'warn':
      return 'ask';
    default:
      return 'none';
  }
}

/** The mark around a point, about ten units wide. */
export function markShape(shape: MarkShape, x: number, y: number): Html {
  const at = (dx: number, dy: number) => `${coordinate(x + dx)},${coordinate(y + dy)}`;
  switch (shape) {
    case 'allow':
      return escaped`<circle class="m-allow" cx="${coordinate(x)}" cy="${coordinate(y)}" r="4.5" />`;
    case 'none':
      return escaped`<circle class="m-none" cx="${coordinate(x)}" cy="${coordinate(y)}" r="4" />`;
    case 'deny':
      return escaped`<g class="m-deny"
        ><rect x="${coordinate(x - 5)}" y="${coordinate(y - 5)}" width="10" height="10" /><path
          d="M${at(-2.6, -2.6)}L${at(2.6, 2.6)}M${at(2.6, -2.6)}L${at(-2.6, 2.6)}"
      /></g>`;
    case 'ask':
      return escaped`<path class="m-ask" d="M${at(0, -5.6)}L${at(5.6, 4.4)}L${at(-5.6, 4.4)}Z" />`;
    case 'redact':
      return escaped`<path class="m-redact" d="M${at(0, -5.8)}L${at(5.8, 0)}L${at(0, 5.8)}L${at(-5.8, 0)}Z" />`;
    case 'context':
      return escaped`<path class="m-context" d="M${at(0, -4.5)}L${at(0, 4.5)}" />`;
  }
}

/** One decimal is finer than any printer. */
export const coordinate = (value: number): number => Math.round(value * 10) / 10;

/** The shapes with what they mean. */
export function legend(): Html {
  return escaped`<ul class="legend">
    ${SHAPES.map(
      ([shape, words]) =>
        escaped`<li>
          <svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">${markShape(shape, 7, 7)}</svg>
          ${words}
        </li>`,
    )}
    <li>
      <svg viewBox="0 0 22 14" width="22" height="14" aria-hidden="true">${alertTag(11, 7, 1)}</svg> evidence
      of alert A1
    </li>
  </ul>`;
}

/** The name of an alert, put beside what it rests on. */
export function alertTag(x: number, y: number, number: number): Html {
  return escaped`<g class="tag"
    ><rect x="${coordinate(x - 10)}" y="${coordinate(y - 6.5)}" width="20" height="13" rx="2" /><text
      x="${coordinate(x)}"
      y="${coordinate(y + 3.6)}"
      text-anchor="middle"
      >A${number}</text
    ></g
  >`;
}
