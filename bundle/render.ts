import type { BundleFacts, CaseEntry, CaseView } from './case-data.ts';
import { createAlertFiles } from './alert-files.ts';
import { createInForce } from './in-force.ts';
import { readEntries, type EntryFile, type StagedEntry } from './read-entries.ts';
import { spanLine } from './spans.ts';
import type { Staging } from './staging.ts';

/** Who renders what people and other tools read; each is given every entry once. */
export interface Renderers {
  /** data/timeline.csv, line by line. */
  readonly timeline: { readonly header: string; readonly line: (entry: CaseEntry) => string | undefined };
  /** data/stix.json. */
  readonly stix: CaseView<string>;
  /** data/report/report.html. */
  readonly report: CaseView<string>;
}

export interface Rendering {
  readonly staging: Staging;
  readonly files: readonly EntryFile[];
  readonly renderers: Renderers;
  /** Ids of events that alerts of the case rest on. */
  readonly evidence: Iterable<string>;
  readonly signal: AbortSignal;
  readonly onEntries: (count: number) => void;
  /** Looks at each event for what else goes in, such as receipts. */
  readonly onEntry: (entry: StagedEntry) => void;
}

/**
 * Reads the staged entries once, merged by time, and writes everything that is derived from them. Gives what was left out,
 * in words. The report comes later: it tells of the acts up to sealing.
 */
export async function renderEntries(rendering: Rendering): Promise<string[]> {
  const { staging, renderers, signal } = rendering;
  const timeline = await staging.openFile('data/timeline.csv');
  const spans = await staging.openFile('data/spans/otlp.jsonl');
  const inForce = createInForce();
  const alerts = createAlertFiles();
  alerts.expect(rendering.evidence);
  timeline.push(renderers.timeline.header);
  let count = 0;
  for await (const batch of readEntries(rendering.files, signal)) {
    for (const entry of batch) {
      timeline.push(renderers.timeline.line(entry) ?? '');
      spans.push(spanLine(entry) ?? '');
      inForce.push(entry);
      alerts.push(entry);
      renderers.stix.push(entry);
      renderers.report.push(entry);
      rendering.onEntry(entry);
    }
    await timeline.flush();
    await spans.flush();
    count += batch.length;
    rendering.onEntries(count);
  }
  await timeline.close();
  await spans.close();
  await staging.write('data/policies.json', inForce.policies());
  await staging.write('data/tools.json', inForce.tools());
  const more = await alerts.write(staging);
  const leftOut: string[] = [];
  if (more > 0)
    leftOut.push(`${more} alerts have no file of their own in data/alerts; all are in data/entries`);
  if (inForce.cut) leftOut.push('data/policies.json and data/tools.json name the first 10,000 of each kind');
  return leftOut;
}

/** Writes what needs to know everything about the bundle but its seal. */
export async function renderFacts(staging: Staging, renderers: Renderers, facts: BundleFacts): Promise<void> {
  await staging.write('data/stix.json', renderers.stix.finish(facts));
  await staging.write('data/report/report.html', renderers.report.finish(facts));
}
