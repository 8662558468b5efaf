import type { Scored } from './play-recording.ts';

/** One line for the scorer: `fired` only where an alert that pages was raised; it reads no further members. */
export function scorerLine({ session, seq, score, detector, fired, tenant }: Scored): string {
  return `${JSON.stringify({ session, seq, score, detector, ...(fired ? { fired } : {}), tenant })}\n`;
}
