import type { Renderers } from './render.ts';
import { caseReport } from './report/report.ts';
import { stixBundle } from './stix.ts';
import { createTimeline } from './timeline.ts';

/** What people and other tools read, made from the entries of a case. */
export const caseRenderers = (alertsOf: (eventId: string) => readonly string[]): Renderers => ({
  timeline: createTimeline(alertsOf),
  stix: stixBundle(),
  report: caseReport(),
});
