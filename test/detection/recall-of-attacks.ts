import type { Judged } from './judged-sessions.ts';

/** Attacks found in one stream, and the false alarms beside them. */
export interface Recall {
  readonly attacks: number;
  /** novel-chain called somebody. */
  readonly paged: number;
  /** Any detector or rule did. */
  readonly pagedByAny: number;
  /** Scored above the score that one benign session in twenty exceeds. */
  readonly atFivePercent: number;
  readonly benignPaged: number;
}

export const FIGURES = ['paged', 'pagedByAny', 'atFivePercent'] as const;
export type Figure = (typeof FIGURES)[number];

export function recallOf(
  judged: ReadonlyMap<string, Judged>,
  benign: readonly string[],
  attacks: readonly string[],
): Recall {
  const of = (session: string): Judged =>
    judged.get(session) ?? { score: 0, paged: false, pagedByAny: false };
  const falling = benign.map((session) => of(session).score).sort((a, b) => b - a);
  const threshold = falling[Math.floor(0.05 * falling.length)] ?? 1;
  const count = (sessions: readonly string[], is: (judged: Judged) => boolean) =>
    sessions.filter((session) => is(of(session))).length;
  return {
    attacks: attacks.length,
    paged: count(attacks, ({ paged }) => paged),
    pagedByAny: count(attacks, ({ pagedByAny }) => pagedByAny),
    atFivePercent: count(attacks, ({ score }) => score > threshold),
    benignPaged: count(benign, ({ paged }) => paged) / benign.length,
  };
}

/** Shares of the attacks of several streams together. */
export function pooled(recalls: readonly Recall[]): Readonly<Record<Figure | 'benignPaged', number>> {
  const attacks = recalls.reduce((sum, recall) => sum + recall.attacks, 0);
  const share = (figure: Figure) => recalls.reduce((sum, recall) => sum + recall[figure], 0) / attacks;
  return {
    paged: share('paged'),
    pagedByAny: share('pagedByAny'),
    atFivePercent: share('atFivePercent'),
    benignPaged: recalls.reduce((sum, { benignPaged }) => sum + benignPaged, 0) / recalls.length,
  };
}
