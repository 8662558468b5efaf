import { hash } from 'node:crypto';
import type { BundleFacts } from '../case-data.ts';
import { timeText } from './time-text.ts';
import type { CaseSummary } from './case-summary.ts';
import { type Html, escaped } from './html.ts';
import { NOT_PROMISED, PROMISED } from './promises.ts';

/** Title, question, and what the export found: never more than it can say of itself. */
export function headSection(facts: BundleFacts): Html {
  const bad = facts.findings.length > 0;
  return escaped`<header>
      <p class="kicker">Evidence report</p>
      <h1>Case ${facts.caseId}</h1>
      ${facts.question === undefined ? undefined : escaped`<p class="question">${facts.question}</p>`}
    </header>
    <section class="${bad ? 'verdict bad' : 'verdict'}" aria-label="Verdict at export">
      <p class="kicker">Verdict at export</p>
      <p class="badge">
        ${
          bad
            ? `NOT PROVEN: ${facts.findings.length} ${facts.findings.length === 1 ? 'contradiction' : 'contradictions'} found`
            : 'CONSISTENT: every entry was recomputed and agrees with the signed checkpoint'
        }
      </p>
      <p>${facts.claim}</p>
      <p class="note">
        This is what the exporting program found, by its own word. A page inside a bundle cannot vouch for
        that bundle: verify the seal and the checkpoint with keys that you were given by another way
        (VERIFY.md, or the commands at the end of this page). Without such keys no verdict is better than
        undecidable.
      </p>
    </section>`;
}

export function promiseSection(): Html {
  return escaped`<h2>What a valid verdict means, and what it does not</h2>
    <div class="columns">
      <div>
        <h3>Promised</h3>
        <ul>
          ${PROMISED.map((line) => escaped`<li>${line}</li>`)}
        </ul>
      </div>
      <div>
        <h3>Not promised</h3>
        <ul>
          ${NOT_PROMISED.map((line) => escaped`<li>${line}</li>`)}
        </ul>
      </div>
    </div>`;
}

export function findingsSection({ findings }: BundleFacts): Html | undefined {
  if (findings.length === 0) return undefined;
  return escaped`<h2>Contradictions found at export</h2>
    ${table(
      ['Cause', 'Log', 'Seq', 'Detail'],
      findings.map(({ cause, log, seq, detail }) => [cause, log, seq ?? '', detail]),
    )}`;
}

const MODE_WORDS = {
  range: 'Range: whole windows of logs; completeness inside each range is part of the claim.',
  selection: 'Selection: single entries; no claim about any other entry.',
} as const;

export function factsSection(facts: BundleFacts, summary: CaseSummary): Html {
  const filters = Object.entries(facts.filters).map(([name, value]) => escaped`<div>${name}: ${value}</div>`);
  const counted = (counts: ReadonlyMap<string, number>) =>
    [...counts].map(([name, count]) => `${name} ${grouped(count)}`).join(', ');
  const rows: Fact[] = [
    ['Mode', MODE_WORDS[facts.mode]],
    ['Deployment, tenant', `${facts.deployment}, ${facts.tenant}`],
    ['Asked for, from', timeText(facts.fromMs)],
    ['Asked for, to', timeText(facts.toMs)],
    ['Filters', filters.length === 0 ? 'none' : filters],
    ['Entries', `${grouped(summary.entryCount)} (${counted(summary.counts)})`],
    ['Tool call decisions', summary.decisions.size === 0 ? undefined : counted(summary.decisions)],
    [
      'Sizes reported',
      `${grouped(summary.bytesIn)} bytes of arguments, ${grouped(summary.bytesOut)} bytes of results; a call seen from two places counts twice`,
    ],
    ['Alerts', grouped(summary.alertCount)],
    ['Receipts', grouped(facts.receiptCount)],
    [
      'Exported',
      escaped`${timeText(facts.createdMs)} by ${facts.operator}, with ${facts.tool.name} ${facts.tool.version}`,
    ],
    ['Reason', facts.reason],
  ];
  return escaped`<h2>The case</h2>
    ${factTable(rows)}
    ${
      facts.leftOut.length === 0
        ? undefined
        : escaped`<h3>Left out</h3>
            <ul>
              ${facts.leftOut.map((line) => escaped`<li>${line}</li>`)}
            </ul>`
    }`;
}

export function proofSection(facts: BundleFacts): Html {
  const { anchorLog } = facts;
  const logs = facts.logs.map((log) => [
    log.index,
    escaped`<span class="mono">${log.log}</span>`,
    `${log.fromSeq} to ${log.toSeq}`,
    grouped(log.entryCount),
    escaped`${grouped(log.size)}<br /><span class="mono">${log.root}</span>`,
    timeText(log.checkpointMs),
  ]);
  const anchors = facts.anchors.map(({ anchor, type, size }) => [anchor, type, grouped(size)]);
  const keys = [
    ...facts.keys.notary.map((key) => ['notary', key] as const),
    ['bundle seal', facts.keys.bundle] as const,
  ].map(([use, key]) => [
    use,
    escaped`<span class="mono">${key}</span>`,
    escaped`<span class="mono">${hash('sha256', key, 'hex')}</span>`,
  ]);
  return escaped`<h2>Logs, checkpoints, anchors</h2>
    ${table(['File', 'Log', 'Seq', 'Entries', 'Proven under tree size and root', 'Checkpoint'], logs, 'dense')}
    <p>
      All rest on one checkpoint of the anchor log <span class="mono">${anchorLog.origin}</span>: size
      ${grouped(anchorLog.size)}, signed ${timeText(anchorLog.timeMs)}, root
      <span class="mono">${anchorLog.root}</span>.
    </p>
    <h3>Who else has seen that checkpoint</h3>
    <p>
      ${
        anchorLog.cosigners.length === 0
          ? 'No witness cosigned it.'
          : ['Cosigned by ', anchorLog.cosigners.join(', '), '.']
      }
    </p>
    ${
      anchors.length === 0
        ? escaped`<p>
            <strong>No anchor outside of the store had confirmed it when this bundle was made.</strong> Only
            the key of the notary vouches for it.
          </p>`
        : table(['Anchor', 'Evidence', 'Size of the anchor log'], anchors)
    }
    <h3>Public keys</h3>
    <p class="note">
      Compare them, character by character or by their SHA-256, with those you were given by another way.
    </p>
    ${table(['Key of', 'Verifier key (C2SP)', 'SHA-256 of that text'], keys, 'dense')}`;
}

export function custodySection({ acts }: BundleFacts): Html {
  const rows = acts
    .slice(0, ACTS_MAX)
    .map((act) => [
      String(act.seq),
      timeText(act.time_ms),
      act.action,
      `${act.actor} (${act.role})`,
      [
        act.from === undefined ? '' : `from ${act.from}`,
        act.to === undefined ? '' : `to ${act.to}`,
        act.location ?? '',
      ]
        .filter((part) => part !== '')
        .join(', '),
      act.reason,
      act.tool,
    ]);
  return escaped`<h2>Chain of custody</h2>
    <p>
      Acts up to sealing, each signed and naming the one before. Later acts are in the file beside the bundle,
      and in the notary's log. Times are from the ${acts[0]?.time_source ?? 'system clock'} of whoever acted.
    </p>
    ${table(['No', 'Time (UTC)', 'Act', 'Who', 'Where', 'Why', 'With'], rows, 'dense')}${
      acts.length > ACTS_MAX
        ? escaped`<p>First ${ACTS_MAX} of ${acts.length} acts; all are in data/custody/custody.jsonl.</p>`
        : undefined
    }`;
}

export function receiptSection({ receiptCount }: BundleFacts): Html {
  return escaped`<h2>Receipts</h2>
    <p>
      ${
        receiptCount === 0
          ? 'There are none in this bundle.'
          : `There are ${grouped(receiptCount)} in data/receipts, each with its proof file. A decision receipt says what was decided about a call; only an outcome receipt speaks of what came of it. Each names the receipt before it by its digest.`
      }
    </p>`;
}

/** A name and what is to be said of it; nothing where there is nothing. */
export type Fact = readonly [string, string | Html | readonly Html[] | undefined];

export function factTable(facts: readonly Fact[]): Html {
  return escaped`<table>
    <tbody>
      ${facts
        .filter(([, value]) => value !== undefined)
        .map(
          ([name, value]) =>
            escaped`<tr>
              <th scope="row">${name}</th>
              <td>${value}</td>
            </tr>`,
        )}
    </tbody>
  </table>`;
}

const ACTS_MAX = 100;

/** Digits in groups of three: long numbers are misread. */
export const grouped = (value: number | bigint): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

type Cell = string | Html | undefined;

export function table(head: readonly string[], rows: readonly (readonly Cell[])[], style = ''): Html {
  return escaped`<table class="${style}">
    <thead>
      <tr>
        ${head.map((name) => escaped`<th scope="col">${name}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          escaped`<tr>
            ${row.map((cell) => escaped`<td>${cell}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
